# Guests that move to a second machine, and migrations that fail. $FAR NUMBER COMMAND runs a command on the
# second machine.
xl create -q pvh.cfg
xl migrate -s '' g '$FAR 1 xl migrate-receive -e'
until [ -e far.1 ]; do sleep 0.1; done; cat far.1
xl list
xl create -q pvh.cfg 'memory=24'
xl migrate -e -p -s '' g '$FAR 2 xl migrate-receive -e -p'
until [ -e far.2 ]; do sleep 0.1; done; cat far.2
xl list
truncate -s 1M one.img
xl create -q devices.cfg
xl migrate -s '' d '$FAR 3 xl migrate-receive -e'
until [ -e far.3 ]; do sleep 0.1; done; cat far.3
xl list
xl create -q pv.cfg
xl migrate -s '' p '$FAR 4 xl migrate-receive -e'
until [ -e far.4 ]; do sleep 0.1; done; cat far.4
xl list
xl destroy p
xl create -q pvh.cfg
xl migrate -s '' g false
xl migrate -s '' g true
xl migrate -s '' g 'nonsense 2>/dev/null'
xl migrate -s '' g 'echo nonsense'
xl migrate -s '' g '$FAR 5 false'
xl migrate -s '' nobody '$FAR 6 xl migrate-receive'
xl migrate -s '' 77 '$FAR 6 xl migrate-receive'
xl migrate -s '' g
xl migrate g
xl migrate -s 'sh -c "exit 3" --' g nowhere
xl migrate -C nothing.cfg -s '' g '$FAR 6 xl migrate-receive'
xl list
xl migrate -C pvh.cfg -s '' g '$FAR 7 xl migrate-receive -e'
until [ -e far.7 ]; do sleep 0.1; done; cat far.7
xl list
xl migrate-receive -e </dev/null
xl migrate-receive -e <pvh.cfg
xl migrate-receive nonsense
xl list
xl create -q pvh.cfg
xl migrate -s '' g 'xl migrate-receive -e' >/dev/null 2>&1; echo "status $?"; xl destroy g
xl list
