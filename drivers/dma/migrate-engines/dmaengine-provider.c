// SPDX-License-Identifier: GPL-2.0
/*
 * Migration engines on DMAengine channels: which providers to trust
 *
 * The contract of DMAengine says little about errors and termination, and its
 * providers keep less. So a provider's channels are taken if it is in this
 * table, which says what has been seen in its code, or if the administrator
 * names it.
 */
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "dmaengine.h"

/*
 * By the name of the driver. Not here: idxd, which has an engine of its own;
 * ptdma and ae4dma, which report every error as success; and what is found in
 * embedded machines only.
 */
static const struct mde_provider {
	const char *name;
	unsigned int trust;
} mde_providers[] = {
	/* A channel is reset when it is released; terminate is missing. */
	{ "ioatdma", MDE_ERRORS | MDE_ORDERED | MDE_RELEASE },
	{ "plx_dma", MDE_ERRORS | MDE_ORDERED | MDE_RELEASE },
	/* A failed transfer never completes. Terminate stops the channel. */
	{ "hisi_dma", MDE_ERRORS | MDE_TERMINATE },
#if IS_ENABLED(CONFIG_MIGRATE_ENGINE_SIM_DMA)
	{ "migrate-offload-sim-dma", MDE_ERRORS | MDE_TERMINATE },
#endif
};

static const char * const mde_trust_names[] = {
	"errors", "ordered", "terminate", "release",
};

#define MDE_TRUST_LEN	256

/* Not the lock of parameters: built-in modules share one, and hold others' under it. */
static DEFINE_SPINLOCK(mde_trust_lock);
static char mde_trust_text[MDE_TRUST_LEN];

static void mde_trust_read(char *text)
{
	spin_lock(&mde_trust_lock);
	strscpy(text, mde_trust_text, MDE_TRUST_LEN);
	spin_unlock(&mde_trust_lock);
}

/* The value of "flag:flag", -EINVAL if there is another word in it. */
static int mde_trust_flags(char *text)
{
	int trust = 0, nr;
	char *word;

	while ((word = strsep(&text, ":"))) {
		nr = match_string(mde_trust_names, ARRAY_SIZE(mde_trust_names),
				  word);
		if (nr < 0)
			return -EINVAL;
		trust |= BIT(nr);
	}
	return trust;
}

/*
 * Look for @name in @text, which gets written to: its flags, -ENOENT if it is
 * not there, -EINVAL if @text makes no sense up to it.
 */
static int mde_trust_find(char *text, const char *name)
{
	char *entry, *flags;
	int trust;

	while ((entry = strsep(&text, ","))) {
		flags = strchr(entry, ':');
		if (flags)
			*flags++ = '\0';
		trust = mde_trust_flags(flags);
		if (!*entry || !strcmp(entry, "idxd") || trust < 0)
			return -EINVAL;
		if (name && !strcmp(entry, name))
			return trust;
	}
	return -ENOENT;
}

/* Also from the command line, when nothing can be allocated yet. */
static int mde_trust_set(const char *value, const struct kernel_param *kp)
{
	char text[MDE_TRUST_LEN], work[MDE_TRUST_LEN];

	if (strscpy(text, value) < 0)
		return -EINVAL;
	strscpy(work, strim(text));
	if (*work && mde_trust_find(work, NULL) != -ENOENT)
		return -EINVAL;
	spin_lock(&mde_trust_lock);
	strscpy(mde_trust_text, strim(text));
	spin_unlock(&mde_trust_lock);
	return 0;
}

static int mde_trust_get(char *buffer, const struct kernel_param *kp)
{
	char text[MDE_TRUST_LEN];

	mde_trust_read(text);
	return sysfs_emit(buffer, "%s\n", text);
}

static const struct kernel_param_ops mde_trust_ops = {
	.set = mde_trust_set,
	.get = mde_trust_get,
};
module_param_cb(trust, &mde_trust_ops, NULL, 0644);
MODULE_PARM_DESC(trust, "more DMAengine providers to use, as driver[:errors][:ordered][:terminate][:release],...; without \"errors\" the CPU compares every copy");

/**
 * mde_trust() - may channels of a provider be used?
 * @name: name of the provider's driver
 *
 * What the administrator says goes before the table.
 *
 * Return: enum mde_trust, or -ENOENT.
 */
int mde_trust(const char *name)
{
	char text[MDE_TRUST_LEN];
	unsigned int i;
	int trust;

	mde_trust_read(text);
	trust = mde_trust_find(text, name);
	if (trust >= 0)
		return trust;
	for (i = 0; i < ARRAY_SIZE(mde_providers); i++)
		if (!strcmp(mde_providers[i].name, name))
			return mde_providers[i].trust;
	return -ENOENT;
}

#if IS_ENABLED(CONFIG_MIGRATE_ENGINES_KUNIT_TEST)
#include "tests/dmaengine-provider_test.c"
#endif
