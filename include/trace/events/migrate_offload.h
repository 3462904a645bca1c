/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM migrate_offload

#if !defined(_TRACE_MIGRATE_OFFLOAD_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_MIGRATE_OFFLOAD_H

#include <linux/tracepoint.h>

/* A batch is about to be given to an engine, which may yet refuse it. */
TRACE_EVENT(migrate_offload_submit,

	TP_PROTO(const char *engine, u64 seqno, int nid,
		 const char *reason, unsigned int folios,
		 unsigned int extents, size_t bytes),

	TP_ARGS(engine, seqno, nid, reason, folios, extents, bytes),

	TP_STRUCT__entry(
		__string(engine, engine)
		__field(u64, seqno)
		__field(int, nid)
		__string(reason, reason)
		__field(unsigned int, folios)
		__field(unsigned int, extents)
		__field(size_t, bytes)
	),

	TP_fast_assign(
		__assign_str(engine);
		__entry->seqno = seqno;
		__entry->nid = nid;
		__assign_str(reason);
		__entry->folios = folios;
		__entry->extents = extents;
		__entry->bytes = bytes;
	),

	TP_printk("engine=%s seqno=%llu nid=%d reason=%s folios=%u extents=%u bytes=%zu",
		  __get_str(engine), __entry->seqno, __entry->nid,
		  __get_str(reason), __entry->folios, __entry->extents,
		  __entry->bytes)
);

/* The engine has reported on every extent of a batch. */
TRACE_EVENT(migrate_offload_complete,

	TP_PROTO(const char *engine, u64 seqno, int error, s64 ns),

	TP_ARGS(engine, seqno, error, ns),

	TP_STRUCT__entry(
		__string(engine, engine)
		__field(u64, seqno)
		__field(int, error)
		__field(s64, ns)
	),

	TP_fast_assign(
		__assign_str(engine);
		__entry->seqno = seqno;
		__entry->error = error;
		__entry->ns = ns;
	),

	TP_printk("engine=%s seqno=%llu error=%d ns=%lld", __get_str(engine),
		  __entry->seqno, __entry->error, __entry->ns)
);

/* A folio on its way to node @nid was left to the CPU. */
TRACE_EVENT(migrate_offload_refuse,

	TP_PROTO(int nid, const char *reason, const char *why, unsigned long pages),

	TP_ARGS(nid, reason, why, pages),

	TP_STRUCT__entry(
		__field(int, nid)
		__string(reason, reason)
		__string(why, why)
		__field(unsigned long, pages)
	),

	TP_fast_assign(
		__entry->nid = nid;
		__assign_str(reason);
		__assign_str(why);
		__entry->pages = pages;
	),

	TP_printk("nid=%d reason=%s why=%s pages=%lu", __entry->nid,
		  __get_str(reason), __get_str(why), __entry->pages)
);

/* The deadline of a batch has passed without a result. */
TRACE_EVENT(migrate_offload_timeout,

	TP_PROTO(const char *engine, u64 seqno, unsigned int ms),

	TP_ARGS(engine, seqno, ms),

	TP_STRUCT__entry(
		__string(engine, engine)
		__field(u64, seqno)
		__field(unsigned int, ms)
	),

	TP_fast_assign(
		__assign_str(engine);
		__entry->seqno = seqno;
		__entry->ms = ms;
	),

	TP_printk("engine=%s seqno=%llu ms=%u", __get_str(engine),
		  __entry->seqno, __entry->ms)
);

DECLARE_EVENT_CLASS(migrate_offload_quarantine_template,

	TP_PROTO(const char *engine, u64 seqno, unsigned long pages),

	TP_ARGS(engine, seqno, pages),

	TP_STRUCT__entry(
		__string(engine, engine)
		__field(u64, seqno)
		__field(unsigned long, pages)
	),

	TP_fast_assign(
		__assign_str(engine);
		__entry->seqno = seqno;
		__entry->pages = pages;
	),

	TP_printk("engine=%s seqno=%llu pages=%lu", __get_str(engine),
		  __entry->seqno, __entry->pages)
);

/* Folios that the engine may still touch are held back. */
DEFINE_EVENT(migrate_offload_quarantine_template, migrate_offload_quarantine,
	TP_PROTO(const char *engine, u64 seqno, unsigned long pages),
	TP_ARGS(engine, seqno, pages)
);

/* The engine has quiesced: they are let go. */
DEFINE_EVENT(migrate_offload_quarantine_template, migrate_offload_release,
	TP_PROTO(const char *engine, u64 seqno, unsigned long pages),
	TP_ARGS(engine, seqno, pages)
);

#endif /* _TRACE_MIGRATE_OFFLOAD_H */

#include <trace/define_trace.h>
