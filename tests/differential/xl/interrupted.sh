# Commands that a signal ends, two commands at once, and an attached console. A shell makes commands in the background
# ignore SIGINT. `env --default-signal` undoes this.
# `exec` hides the message of the shell about a process that SIGTERM has ended.
xl create -q pvh.cfg 'extra="b"'
env --default-signal=INT xl shutdown -w g & until [ "$(xenstore-read /local/domain/$(xl domid g)/control/shutdown)" = poweroff ]; do sleep 0.1; done; kill -INT $!; wait $!; echo "status $?"
xl list
env --default-signal=INT xl reboot -w g & exec 2>/dev/null; until [ "$(xenstore-read /local/domain/$(xl domid g)/control/shutdown)" = reboot ]; do sleep 0.1; done; kill -TERM $!; wait $!; echo "status $?"
xl list
xl destroy g
env --default-signal=INT xl create -F -q pvh.cfg >seen 2>&1 & until grep -qs Waiting seen; do sleep 0.1; done; sleep 0.3; kill -INT $!; wait $!; echo "status $?"; cat seen
xl list
xl destroy g
xl create -q pvh.cfg & xl create -q pvh.cfg 'name="h"' & wait; xl list | tail -n +2 | awk '{print $1, $3, $4}' | sort; xl destroy g; xl destroy h
xl create -q pvh.cfg
xl create -q pvh.cfg 'name="h"'
xl rename g i & xl rename h j & wait
xl list
xl mem-set i 30 & xl mem-set j 28 & wait
xl vcpu-set i 2 & xl vcpu-set j 2 & wait
xl vcpu-list
xl destroy i & xl destroy j & wait
xl list
xl create -q pvh.cfg
rm -f seen; (until grep -qs tiny seen; do sleep 0.1; done; printf 'hello\r'; until grep -q 'echo: hello' seen; do sleep 0.1; done; printf '\035') | script -qfec 'xl console g' seen
xl list
xl destroy g
rm -f seen; (until grep -qs tiny seen; do sleep 0.1; done; printf 'hello\r'; until grep -q 'echo: hello' seen; do sleep 0.1; done; printf '\035') | script -qfec 'xl create -c -q pvh.cfg' seen
xl list
script -qec 'timeout --foreground --preserve-status -s INT 1 xl console g' /dev/null </dev/null; echo "status $?"
xl destroy g
xl list
