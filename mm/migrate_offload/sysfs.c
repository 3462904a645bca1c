// SPDX-License-Identifier: GPL-2.0
/*
 * Migration offload: /sys/kernel/mm/migrate_offload
 *
 * See Documentation/ABI/testing/sysfs-kernel-mm-migrate-offload. Bad input
 * gets -EINVAL and changes nothing.
 */
#define pr_fmt(fmt) "migrate_offload: " fmt

#include <linux/cleanup.h>
#include <linux/init.h>
#include <linux/kstrtox.h>
#include <linux/memory.h>
#include <linux/nodemask.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "internal.h"

static struct kobject *mo_root;
static struct kobject *mo_engines_dir;
static struct kobject *mo_nodes_dir;

const char * const mo_refusal_names[MO_NR_REFUSALS] = {
	[MO_REFUSED_MOVABLE] = "movable",
	[MO_REFUSED_ZONE_DEVICE] = "zone_device",
	[MO_REFUSED_WRITEBACK] = "writeback",
	[MO_REFUSED_POISON] = "poison",
	[MO_REFUSED_MAPPING] = "mapping",
	[MO_REFUSED_PINNED] = "pinned",
	[MO_REFUSED_TAGS] = "tags",
	[MO_REFUSED_REASON] = "reason",
	[MO_REFUSED_CONTEXT] = "context",
	[MO_REFUSED_TOO_SMALL] = "too_small",
	[MO_REFUSED_SLOWER] = "slower",
	[MO_REFUSED_NO_ENGINE] = "no_engine",
	[MO_REFUSED_BUSY] = "busy",
	[MO_REFUSED_LIMITS] = "limits",
	[MO_REFUSED_BOUNCE] = "bounce",
	[MO_REFUSED_SUBMIT] = "submit",
};

/* A counter: a u64 at @offset of per-CPU statistics. */
struct mo_stat_attr {
	struct kobj_attribute attr;
	size_t offset;
};

static ssize_t mo_show_stat(const void __percpu *stats,
			    struct kobj_attribute *attr, char *buf)
{
	size_t offset = container_of(attr, struct mo_stat_attr, attr)->offset;
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*(u64 *)(per_cpu_ptr(stats, cpu) + offset));
	return sysfs_emit(buf, "%llu\n", sum);
}

/* What was written, without the newline that echo adds. To be freed. */
static char *mo_text(const char *buf, size_t count)
{
	char *text;

	if (memchr(buf, '\0', count))
		return ERR_PTR(-EINVAL);
	if (count && buf[count - 1] == '\n')
		count--;
	text = kstrndup(buf, count, GFP_KERNEL);
	return text ?: ERR_PTR(-ENOMEM);
}

/* Nothing but a number of @least to @most, with or without a newline. */
int mo_sysfs_number(const char *buf, size_t count, unsigned long least,
		    unsigned long most, unsigned long *number)
{
	char *text __free(kfree) = mo_text(buf, count);
	unsigned long value;

	if (IS_ERR(text))
		return PTR_ERR(text);
	if (mo_parse_number(text, strlen(text), &value) || value < least ||
	    value > most)
		return -EINVAL;
	*number = value;
	return 0;
}

/* enabled */

static ssize_t enabled_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%d\n", mo_enabled());
}

static ssize_t enabled_store(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t count)
{
	bool on = sysfs_streq(buf, "1");

	if (memchr(buf, '\0', count) || (!on && !sysfs_streq(buf, "0")))
		return -EINVAL;
	mo_set_enabled(on);
	return count;
}

static struct kobj_attribute enabled_attr = __ATTR_RW(enabled);

static struct attribute *mo_root_attrs[] = {
	&enabled_attr.attr,
	NULL
};

static const struct attribute_group mo_root_group = {
	.attrs = mo_root_attrs,
};

/* engines/<name>/ */

static struct mo_engine *kobj_to_engine(struct kobject *kobj)
{
	return container_of(kobj, struct mo_engine, kobj);
}

#define MO_ENGINE_RO(_name, fmt, value)					\
static ssize_t engine_##_name##_show(struct kobject *kobj,		\
				     struct kobj_attribute *attr,	\
				     char *buf)				\
{									\
	struct mo_engine *engine = kobj_to_engine(kobj);		\
									\
	return sysfs_emit(buf, fmt "\n", value);			\
}									\
static struct kobj_attribute engine_##_name =				\
	__ATTR(_name, 0444, engine_##_name##_show, NULL)

static const char *mo_state_name(enum mo_state state)
{
	static const char * const names[] = {
		[MO_ONLINE] = "online",
		[MO_FAILED] = "failed",
		[MO_REMOVED] = "removed",
	};

	return names[state];
}

MO_ENGINE_RO(driver, "%s", engine->driver);
MO_ENGINE_RO(state, "%s", mo_state_name(READ_ONCE(engine->state)));
MO_ENGINE_RO(numa_node, "%d", engine->numa_node);

static ssize_t timeout_ms_show(struct kobject *kobj,
			       struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n",
			  READ_ONCE(kobj_to_engine(kobj)->timeout_ms));
}

static ssize_t timeout_ms_store(struct kobject *kobj,
				struct kobj_attribute *attr, const char *buf,
				size_t count)
{
	unsigned long ms;
	int err;

	err = mo_sysfs_number(buf, count, 1, MO_MAX_TIMEOUT_MS, &ms);
	if (err)
		return err;
	WRITE_ONCE(kobj_to_engine(kobj)->timeout_ms, ms);
	return count;
}

static struct kobj_attribute engine_timeout_ms = __ATTR_RW(timeout_ms);

static ssize_t reset_store(struct kobject *kobj, struct kobj_attribute *attr,
			   const char *buf, size_t count)
{
	struct mo_engine *engine;

	if (memchr(buf, '\0', count) || !sysfs_streq(buf, "1"))
		return -EINVAL;
	engine = kobj_to_engine(kobj);
	return mo_engine_reset(engine, engine->ops->reset) ?: count;
}

static struct kobj_attribute engine_reset = __ATTR_WO(reset);

static struct attribute *mo_engine_attrs[] = {
	&engine_driver.attr,
	&engine_state.attr,
	&engine_numa_node.attr,
	&engine_timeout_ms.attr,
	&engine_reset.attr,
	NULL
};

static const struct attribute_group mo_engine_group = {
	.attrs = mo_engine_attrs,
};

MO_ENGINE_RO(max_extent_bytes, "%zu", engine->max_extent_bytes);
MO_ENGINE_RO(max_extents, "%u", engine->max_extents);
MO_ENGINE_RO(max_batches, "%u", engine->max_batches);
MO_ENGINE_RO(channels, "%u", engine->nr_channels);
MO_ENGINE_RO(align, "%zu", engine->align);
MO_ENGINE_RO(max_addr, "%pa", &engine->max_addr);
MO_ENGINE_RO(min_bytes, "%zu", engine->min_bytes);

static struct attribute *mo_limits_attrs[] = {
	&engine_max_extent_bytes.attr,
	&engine_max_extents.attr,
	&engine_max_batches.attr,
	&engine_channels.attr,
	&engine_align.attr,
	&engine_max_addr.attr,
	&engine_min_bytes.attr,
	NULL
};

static const struct attribute_group mo_limits_group = {
	.name = "limits",
	.attrs = mo_limits_attrs,
};

static ssize_t engine_stat_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	return mo_show_stat(kobj_to_engine(kobj)->stats, attr, buf);
}

#define MO_ENGINE_STAT(_name, _member)					\
static struct mo_stat_attr engine_##_name = {				\
	.attr = __ATTR(_name, 0444, engine_stat_show, NULL),		\
	.offset = offsetof(struct mo_engine_stats, _member),		\
}

MO_ENGINE_STAT(batches, batches);
MO_ENGINE_STAT(folios, folios);
MO_ENGINE_STAT(bytes, bytes);
MO_ENGINE_STAT(errors, errors);
MO_ENGINE_STAT(timeouts, timeouts);
/* Only what an engine, rather than a folio, is refused for. */
MO_ENGINE_STAT(refused_no_engine, refused[MO_REFUSED_NO_ENGINE]);
MO_ENGINE_STAT(refused_too_small, refused[MO_REFUSED_TOO_SMALL]);
MO_ENGINE_STAT(refused_tags, refused[MO_REFUSED_TAGS]);
MO_ENGINE_STAT(refused_limits, refused[MO_REFUSED_LIMITS]);
MO_ENGINE_STAT(refused_busy, refused[MO_REFUSED_BUSY]);
MO_ENGINE_STAT(refused_bounce, refused[MO_REFUSED_BOUNCE]);
MO_ENGINE_STAT(refused_submit, refused[MO_REFUSED_SUBMIT]);
MO_ENGINE_RO(inflight, "%d", atomic_read(&engine->inflight));
MO_ENGINE_RO(quarantined_pages, "%ld",
	     atomic_long_read(&engine->quarantined_pages));

static struct attribute *mo_engine_stats_attrs[] = {
	&engine_batches.attr.attr,
	&engine_folios.attr.attr,
	&engine_bytes.attr.attr,
	&engine_errors.attr.attr,
	&engine_timeouts.attr.attr,
	&engine_refused_no_engine.attr.attr,
	&engine_refused_too_small.attr.attr,
	&engine_refused_tags.attr.attr,
	&engine_refused_limits.attr.attr,
	&engine_refused_busy.attr.attr,
	&engine_refused_bounce.attr.attr,
	&engine_refused_submit.attr.attr,
	&engine_inflight.attr,
	&engine_quarantined_pages.attr,
	NULL
};

static const struct attribute_group mo_engine_stats_group = {
	.name = "stats",
	.attrs = mo_engine_stats_attrs,
};

MO_ENGINE_STAT(ns_4K, cost_ns[0]);
MO_ENGINE_STAT(ns_16K, cost_ns[1]);
MO_ENGINE_STAT(ns_64K, cost_ns[2]);
MO_ENGINE_STAT(ns_256K, cost_ns[3]);
MO_ENGINE_STAT(ns_1M, cost_ns[4]);
MO_ENGINE_STAT(ns_4M, cost_ns[5]);
MO_ENGINE_STAT(ns_more, cost_ns[6]);
MO_ENGINE_STAT(batches_4K, cost_batches[0]);
MO_ENGINE_STAT(batches_16K, cost_batches[1]);
MO_ENGINE_STAT(batches_64K, cost_batches[2]);
MO_ENGINE_STAT(batches_256K, cost_batches[3]);
MO_ENGINE_STAT(batches_1M, cost_batches[4]);
MO_ENGINE_STAT(batches_4M, cost_batches[5]);
MO_ENGINE_STAT(batches_more, cost_batches[6]);

static struct attribute *mo_cost_attrs[] = {
	&engine_ns_4K.attr.attr,
	&engine_ns_16K.attr.attr,
	&engine_ns_64K.attr.attr,
	&engine_ns_256K.attr.attr,
	&engine_ns_1M.attr.attr,
	&engine_ns_4M.attr.attr,
	&engine_ns_more.attr.attr,
	&engine_batches_4K.attr.attr,
	&engine_batches_16K.attr.attr,
	&engine_batches_64K.attr.attr,
	&engine_batches_256K.attr.attr,
	&engine_batches_1M.attr.attr,
	&engine_batches_4M.attr.attr,
	&engine_batches_more.attr.attr,
	NULL
};

static const struct attribute_group mo_cost_group = {
	.name = "cost",
	.attrs = mo_cost_attrs,
};

static const struct attribute_group *mo_engine_groups[] = {
	&mo_engine_group,
	&mo_limits_group,
	&mo_engine_stats_group,
	&mo_cost_group,
	NULL
};

static void mo_engine_release(struct kobject *kobj)
{
	mo_engine_free(kobj_to_engine(kobj));
}

static const struct kobj_type mo_engine_ktype = {
	.release = mo_engine_release,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = mo_engine_groups,
};

/* engines/<name>/channels/ */

struct mo_channel_attr {
	struct kobj_attribute attr;
	const struct mo_channel *channel;
	char name[12];
};

static const struct mo_channel *attr_to_channel(struct kobj_attribute *attr)
{
	return container_of(attr, struct mo_channel_attr, attr)->channel;
}

static ssize_t channel_speed_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n",
			  mo_channel_speed(attr_to_channel(attr)));
}

static ssize_t channel_queued_show(struct kobject *kobj,
				   struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%ld\n",
			  atomic_long_read(&attr_to_channel(attr)->queued));
}

static int mo_add_channel_attr(struct mo_engine *engine, unsigned int slot,
			       unsigned int nr, const char *name,
			       ssize_t (*show)(struct kobject *kobj,
					       struct kobj_attribute *attr,
					       char *buf))
{
	struct mo_channel_attr *attr = kzalloc(sizeof(*attr), GFP_KERNEL);

	if (!attr)
		return -ENOMEM;
	snprintf(attr->name, sizeof(attr->name), "%s%u", name, nr);
	attr->channel = &engine->channels[nr];
	attr->attr.attr.name = attr->name;
	attr->attr.attr.mode = 0444;
	attr->attr.show = show;
	sysfs_attr_init(&attr->attr.attr);
	engine->channels_group.attrs[slot] = &attr->attr.attr;
	return 0;
}

/* Two files for each channel, and a NULL at the end. */
static int mo_add_channels(struct mo_engine *engine)
{
	struct attribute_group *group = &engine->channels_group;
	unsigned int i;
	int err = 0;

	group->name = "channels";
	group->attrs = kvcalloc(2 * engine->nr_channels + 1,
				sizeof(*group->attrs), GFP_KERNEL);
	if (!group->attrs)
		return -ENOMEM;
	for (i = 0; !err && i < engine->nr_channels; i++)
		err = mo_add_channel_attr(engine, 2 * i, i, "speed",
					  channel_speed_show) ?:
		      mo_add_channel_attr(engine, 2 * i + 1, i, "queued",
					  channel_queued_show);
	return err ?: sysfs_create_group(&engine->kobj, group);
}

/* When the files are gone. */
void mo_sysfs_free_engine(struct mo_engine *engine)
{
	struct attribute **attr = engine->channels_group.attrs;

	for (; attr && *attr; attr++)
		kfree(container_of(*attr, struct mo_channel_attr, attr.attr));
	kvfree(engine->channels_group.attrs);
}

/* The caller drops the kobject when this fails, and the engine with it. */
int mo_sysfs_add_engine(struct mo_engine *engine)
{
	int err;

	err = kobject_init_and_add(&engine->kobj, &mo_engine_ktype,
				   mo_engines_dir, "%s", engine->name);
	if (!err && engine->channels)
		err = mo_add_channels(engine);
	return err;
}

/* nodes/node<N>/ */

struct mo_node_dir {
	struct kobject kobj;
	struct mo_node *node;
};

static struct mo_node *kobj_to_node(struct kobject *kobj)
{
	return container_of(kobj, struct mo_node_dir, kobj)->node;
}

static ssize_t mo_node_store(struct kobject *kobj, const char *buf,
			     size_t count,
			     int (*set)(struct mo_node *node, const char *text))
{
	char *text __free(kfree) = mo_text(buf, count);

	if (IS_ERR(text))
		return PTR_ERR(text);
	return set(kobj_to_node(kobj), text) ?: count;
}

static ssize_t engines_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return mo_policy_show_engines(kobj_to_node(kobj), buf);
}

static ssize_t engines_store(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t count)
{
	return mo_node_store(kobj, buf, count, mo_policy_set_engines);
}

static struct kobj_attribute node_engines = __ATTR_RW(engines);

static ssize_t reasons_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return mo_policy_show_reasons(kobj_to_node(kobj), buf);
}

static ssize_t reasons_store(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t count)
{
	return mo_node_store(kobj, buf, count, mo_policy_set_reasons);
}

static struct kobj_attribute node_reasons = __ATTR_RW(reasons);

static ssize_t node_min_bytes_show(struct kobject *kobj,
				   struct kobj_attribute *attr, char *buf)
{
	long min_bytes = READ_ONCE(kobj_to_node(kobj)->min_bytes);

	if (min_bytes == MO_MIN_BYTES_AUTO)
		return sysfs_emit(buf, "auto\n");
	return sysfs_emit(buf, "%ld\n", min_bytes);
}

static ssize_t node_min_bytes_store(struct kobject *kobj,
				    struct kobj_attribute *attr,
				    const char *buf, size_t count)
{
	return mo_node_store(kobj, buf, count, mo_policy_set_min_bytes);
}

static struct kobj_attribute node_min_bytes =
	__ATTR(min_bytes, 0644, node_min_bytes_show, node_min_bytes_store);

static ssize_t auto_goal_show(struct kobject *kobj,
			      struct kobj_attribute *attr, char *buf)
{
	return mo_auto_show_goal(kobj_to_node(kobj), buf);
}

static ssize_t auto_goal_store(struct kobject *kobj,
			       struct kobj_attribute *attr, const char *buf,
			       size_t count)
{
	return mo_node_store(kobj, buf, count, mo_auto_set_goal);
}

static struct kobj_attribute node_auto_goal = __ATTR_RW(auto_goal);

static ssize_t auto_costs_show(struct kobject *kobj,
			       struct kobj_attribute *attr, char *buf)
{
	return mo_auto_show_costs(kobj_to_node(kobj), buf);
}

static struct kobj_attribute node_auto_costs = __ATTR_RO(auto_costs);

static struct attribute *mo_node_attrs[] = {
	&node_engines.attr,
	&node_reasons.attr,
	&node_min_bytes.attr,
	&node_auto_goal.attr,
	&node_auto_costs.attr,
	NULL
};

static const struct attribute_group mo_node_group = {
	.attrs = mo_node_attrs,
};

static ssize_t node_stat_show(struct kobject *kobj,
			      struct kobj_attribute *attr, char *buf)
{
	return mo_show_stat(kobj_to_node(kobj)->stats, attr, buf);
}

#define MO_NODE_STAT(_name, _member)					\
static struct mo_stat_attr node_##_name = {				\
	.attr = __ATTR(_name, 0444, node_stat_show, NULL),		\
	.offset = offsetof(struct mo_node_stats, _member),		\
}

MO_NODE_STAT(offered, offered);
MO_NODE_STAT(copied_engine, copied_engine);
MO_NODE_STAT(copied_cpu, copied_cpu);
MO_NODE_STAT(failed, failed);
MO_NODE_STAT(quarantined, quarantined);
MO_NODE_STAT(refused_movable, refused[MO_REFUSED_MOVABLE]);
MO_NODE_STAT(refused_zone_device, refused[MO_REFUSED_ZONE_DEVICE]);
MO_NODE_STAT(refused_writeback, refused[MO_REFUSED_WRITEBACK]);
MO_NODE_STAT(refused_poison, refused[MO_REFUSED_POISON]);
MO_NODE_STAT(refused_mapping, refused[MO_REFUSED_MAPPING]);
MO_NODE_STAT(refused_pinned, refused[MO_REFUSED_PINNED]);
MO_NODE_STAT(refused_tags, refused[MO_REFUSED_TAGS]);
MO_NODE_STAT(refused_reason, refused[MO_REFUSED_REASON]);
MO_NODE_STAT(refused_context, refused[MO_REFUSED_CONTEXT]);
MO_NODE_STAT(refused_too_small, refused[MO_REFUSED_TOO_SMALL]);
MO_NODE_STAT(refused_slower, refused[MO_REFUSED_SLOWER]);
MO_NODE_STAT(refused_no_engine, refused[MO_REFUSED_NO_ENGINE]);
MO_NODE_STAT(refused_busy, refused[MO_REFUSED_BUSY]);
MO_NODE_STAT(refused_limits, refused[MO_REFUSED_LIMITS]);
MO_NODE_STAT(refused_bounce, refused[MO_REFUSED_BOUNCE]);
MO_NODE_STAT(refused_submit, refused[MO_REFUSED_SUBMIT]);

static struct attribute *mo_node_stats_attrs[] = {
	&node_offered.attr.attr,
	&node_copied_engine.attr.attr,
	&node_copied_cpu.attr.attr,
	&node_failed.attr.attr,
	&node_quarantined.attr.attr,
	&node_refused_movable.attr.attr,
	&node_refused_zone_device.attr.attr,
	&node_refused_writeback.attr.attr,
	&node_refused_poison.attr.attr,
	&node_refused_mapping.attr.attr,
	&node_refused_pinned.attr.attr,
	&node_refused_tags.attr.attr,
	&node_refused_reason.attr.attr,
	&node_refused_context.attr.attr,
	&node_refused_too_small.attr.attr,
	&node_refused_slower.attr.attr,
	&node_refused_no_engine.attr.attr,
	&node_refused_busy.attr.attr,
	&node_refused_limits.attr.attr,
	&node_refused_bounce.attr.attr,
	&node_refused_submit.attr.attr,
	NULL
};

static const struct attribute_group mo_node_stats_group = {
	.name = "stats",
	.attrs = mo_node_stats_attrs,
};

static const struct attribute_group *mo_node_groups[] = {
	&mo_node_group,
	&mo_node_stats_group,
	NULL
};

static void mo_node_dir_release(struct kobject *kobj)
{
	/* The policy stays: the node may come back. */
	kfree(container_of(kobj, struct mo_node_dir, kobj));
}

static const struct kobj_type mo_node_ktype = {
	.release = mo_node_dir_release,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = mo_node_groups,
};

/* Memory of @nid has come online, under mem_hotplug_lock or at boot. */
static int mo_add_node(int nid)
{
	struct mo_node_dir *dir;
	struct mo_node *node;
	int err;

	mutex_lock(&mo_lock);
	node = mo_node_create(nid);
	mutex_unlock(&mo_lock);
	if (!node)
		return -ENOMEM;
	if (node->kobj)
		return 0;

	dir = kzalloc(sizeof(*dir), GFP_KERNEL);
	if (!dir)
		return -ENOMEM;
	dir->node = node;
	err = kobject_init_and_add(&dir->kobj, &mo_node_ktype, mo_nodes_dir,
				   "node%d", nid);
	if (err) {
		kobject_put(&dir->kobj);
		return err;
	}
	node->kobj = &dir->kobj;
	return 0;
}

/* The last memory of @nid has gone offline, under mem_hotplug_lock. */
static void mo_remove_node(int nid)
{
	struct mo_node *node = mo_node(nid);

	if (!node || !node->kobj)
		return;
	/* Waits for readers and writers of its files, so not under mo_lock. */
	kobject_del(node->kobj);
	kobject_put(node->kobj);
	node->kobj = NULL;
}

static int mo_memory_notify(struct notifier_block *nb, unsigned long action,
			    void *data)
{
	int nid = ((struct memory_notify *)data)->status_change_nid;

	if (nid < 0)
		return NOTIFY_OK;
	if (action == MEM_ONLINE && mo_add_node(nid))
		pr_warn("no policy for node %d\n", nid);
	else if (action == MEM_OFFLINE)
		mo_remove_node(nid);
	return NOTIFY_OK;
}

static bool mo_on_at_boot __initdata;

static int __init mo_setup(char *arg)
{
	if (!arg || kstrtobool(arg, &mo_on_at_boot))
		pr_warn("migrate_offload= takes on or off\n");
	return 1;
}
__setup("migrate_offload=", mo_setup);

static int __init mo_init(void)
{
	int nid, err = -ENOMEM;

	mo_root = kobject_create_and_add("migrate_offload", mm_kobj);
	if (!mo_root)
		goto err;
	mo_engines_dir = kobject_create_and_add("engines", mo_root);
	mo_nodes_dir = kobject_create_and_add("nodes", mo_root);
	if (!mo_engines_dir || !mo_nodes_dir)
		goto err;
	mo_wq = alloc_workqueue("migrate_offload", WQ_UNBOUND | WQ_MEM_RECLAIM,
				0);
	if (!mo_wq)
		goto err;

	err = mo_dispatch_init();
	err = err ?: mo_cpu_init();
	err = err ?: mo_cpu_mt_init();
	for_each_node_state(nid, N_MEMORY)
		err = err ?: mo_add_node(nid);
	err = err ?: sysfs_create_group(mo_root, &mo_root_group);
	if (err)
		goto err;

	hotplug_memory_notifier(mo_memory_notify, DEFAULT_CALLBACK_PRI);
	if (mo_on_at_boot)
		mo_set_enabled(true);
	return 0;
err:
	/* Nothing can be enabled: no file to do it with. */
	pr_err("not available (%d)\n", err);
	return err;
}
subsys_initcall(mo_init);
