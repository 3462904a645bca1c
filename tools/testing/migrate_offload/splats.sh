# SPDX-License-Identifier: GPL-2.0-only
# What a kernel says when something is wrong with it; source it. Better too
# much: a harmless line that matches is for "harmless", by its full wording.
#
# shellcheck shell=bash

splat='WARNING|BUG|KASAN:|KCSAN:|UBSAN|KFENCE|Oops|cut here|Call Trace|[Kk]ernel panic'
splat+='|general protection|invalid opcode|double fault|[Uu]nable to handle'
splat+='|sleeping function called|scheduling while atomic|INFO: task|INFO: trying'
splat+='|possible (recursive|circular|irq lock)|inconsistent lock|lock inversion|bad unlock'
splat+='|held lock|suspicious RCU|rcu.*(detected|starved)|soft lockup|hard LOCKUP'
splat+='|workqueue: .*(hogged|lockup|flushing)|DMA-API:|page dumped|Bad page|bad_page'
splat+='|pagealloc:|corruption|refcount_t|ODEBUG|use-after-free|nobody cared|out of memory|oom-kill'
splat+='|unchecked MSR|page allocation failure|stack (overflow|guard)|Tainted|Segfault|segfault'

harmless='DMA-API: preallocated [0-9]+ debug entries$'
harmless+='|DMA-API: debugging enabled by kernel config$'
harmless+='|page dumped because: (isolation failed|migration failure)$' # when memory is to go
# programs that have memory poisoned
harmless+='|MCE: Killing (uffd-unit-tests|poison|refused):[0-9]+ due to hardware memory corruption fault at [0-9a-f]+$'
harmless+='|Memory failure: 0x[0-9a-f]+: Sending SIGBUS to (poison|refused):[0-9]+ due to hardware memory corruption$'
harmless+='|rcu: 	RCU callback double-/use-after-free debug is enabled\.$'

# Data races that the kernel has without us are known, and many: reports of KCSAN
# in which no function of ours is on either stack are left out.
ours='mo_[a-z]|migrate_offload|[^a-z_]sim_[a-z]'
without_foreign_races() {
	awk -v ours="$ours" '
		/====================/ {
			if (!report || mine)
				printf "%s", text
			report = mine = 0
			text = ""
			next
		}
		/BUG: KCSAN/ { report = 1 }
		report && $0 ~ ours { mine = 1 }
		{ text = text $0 "\n" }
		END { printf "%s", text }'
}

# splats LOG: print the lines that match, succeed if there are any.
splats() { tr -d '\r' < "$1" | without_foreign_races | grep -aE "$splat" | grep -avE "$harmless"; }
