/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM migrate_dsa

#if !defined(_TRACE_MIGRATE_DSA_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_MIGRATE_DSA_H

#include <linux/tracepoint.h>

/* One entry of a work queue: a copy, or a list of copies. */
TRACE_EVENT(migrate_dsa_submit,

	TP_PROTO(const char *engine, int queue, unsigned int copies,
		 size_t bytes, bool interrupt),

	TP_ARGS(engine, queue, copies, bytes, interrupt),

	TP_STRUCT__entry(
		__string(engine, engine)
		__field(int, queue)
		__field(unsigned int, copies)
		__field(size_t, bytes)
		__field(bool, interrupt)
	),

	TP_fast_assign(
		__assign_str(engine);
		__entry->queue = queue;
		__entry->copies = copies;
		__entry->bytes = bytes;
		__entry->interrupt = interrupt;
	),

	TP_printk("engine=%s queue=%d copies=%u bytes=%zu %s",
		  __get_str(engine), __entry->queue, __entry->copies,
		  __entry->bytes, __entry->interrupt ? "interrupt" : "polled")
);

#endif /* _TRACE_MIGRATE_DSA_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
