# SPDX-License-Identifier: GPL-2.0
# Read what guest/tests writes; tell what matters while it comes in; count.
#
#	awk -v want="NAME..." -v counts=FILE [-v verbose=1] -f tap.awk
#
# A program passes when its plan is there and complete, its results are
# numbered 1, 2, 3..., and it ends by itself with status 0. One that is wanted
# and does not report is a failure.

function bad(why) {
	fail++
	printf "    not ok: %s\n", why
	fflush()
}

function finish(rc, seconds,    note) {
	said = ""
	if (plan < 0)
		bad(name ": no plan")
	else if (done != plan)
		bad(name ": " done " of " plan " results")
	if (rc != 0 && fail == fail_before)
		bad(name ": exit status " rc " without a failed test")
	pass += passed
	skip += skipped
	note = skipped ? ", " skipped " skipped" : ""
	printf "  %-12s %3d of %d passed%s, %s s\n", name, passed, plan < 0 ? done : plan, note, seconds
	fflush()
	ended[name] = 1
	name = ""
}

{ sub(/\r$/, "") }

/^# begin / {
	name = $3
	plan = -1
	done = passed = skipped = 0
	fail_before = fail
	next
}

/^# end / && name == $3 { finish($4, $5); next }

/^vm: exit / { exited = 1; next }

name != "" && /^1\.\.[0-9]+/ {
	if (plan >= 0)
		bad(name ": two plans")
	plan = substr($1, 4) + 0
	# All that is needed is there: nothing may be skipped as a whole.
	if (plan == 0)
		bad(name ": " $0)
	next
}

name != "" && /^(not )?ok [0-9]+/ {
	number = $1 == "ok" ? $2 : $3
	if (number != ++done)
		bad(name ": result " number " where " done " was due")
	if ($1 == "not") {
		printf "%s", said
		sub(/^not ok /, "")
		bad(name " " $0)
	} else if (/# *SKIP/) {
		skipped++
		printf "    %s: %s\n", name, $0
	} else {
		passed++
		if (verbose)
			printf "    %s\n", $0
	}
	said = ""
	fflush()
	next
}

name != "" && /^Bail out!/ { bad(name ": " $0); next }

# What a program says shows up with the result that it leads to, if that is bad.
/^#/ { said = said "    " $0 "\n" }

verbose { print "    " $0; fflush() }

END {
	if (name != "") {
		printf "%s", said
		bad(name ": cut off after " done " of " (plan < 0 ? "?" : plan) " results")
		pass += passed
		skip += skipped
		ended[name] = 1
	}
	n = split(want, wanted, " ")
	for (i = 1; i <= n; i++)
		if (!ended[wanted[i]])
			bad(wanted[i] ": did not run")
	if (!exited)
		bad("the machine did not end by itself")
	print pass + 0, fail + 0, skip + 0 > counts
	exit fail > 0
}
