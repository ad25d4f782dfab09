# Migrations whose connection is cut, whose receiver is killed, and which Ctrl-C ends. $RELAY copies between
# the sender and the receiver, and $FAR NUMBER COMMAND runs a command on a second machine. After each
# migration one guest runs, on either machine. The exception is a sender that has given the guest away while
# the receiver has not got this message: xl then says that the state is not known.
xl create -q pvh.cfg 'uuid="11111111-0000-4000-8000-000000000001"'
xl migrate -s '' g '$RELAY cut:200000 $FAR 1 xl migrate-receive -e'
until [ -e far.1 ]; do sleep 0.1; done; cat far.1
xl list
xl migrate -s '' g '$RELAY cut:ready $FAR 2 xl migrate-receive -e'
until [ -e far.2 ]; do sleep 0.1; done; cat far.2
xl list
xl migrate -s '' g '$RELAY kill:200000 $FAR 3 xl migrate-receive -e'
xl list
xl migrate -s '' g '$RELAY kill:ready $FAR 3 xl migrate-receive -e'
xl list
env --default-signal=INT xl migrate -s '' g '$RELAY hold:200000 $FAR 4 xl migrate-receive -e' & exec 2>/dev/null; until [ -e held ]; do sleep 0.1; done; kill -INT $!; wait $!; echo "status $?"; rm held
until [ -e far.4 ]; do sleep 0.1; done; cat far.4
xl list
setsid env --default-signal=INT xl migrate -s '' g '$RELAY hold:200000 $FAR 5 xl migrate-receive -e' & exec 2>/dev/null; until [ -e held ]; do sleep 0.1; done; kill -INT -$!; wait $!; echo "status $?"; rm held
xl list
xl migrate -s '' g '$FAR 6 xl migrate-receive -e'
until [ -e far.6 ]; do sleep 0.1; done; cat far.6
xl list
xl create -q pvh.cfg 'uuid="11111111-0000-4000-8000-000000000002"'
xl migrate -s '' g '$RELAY cut:report $FAR 7 xl migrate-receive -e'
until [ -e far.7 ]; do sleep 0.1; done; cat far.7
xl list
xl destroy g--migratedaway
xl create -q pvh.cfg 'uuid="11111111-0000-4000-8000-000000000003"'
xl migrate -s '' g '$RELAY cut:go $FAR 8 xl migrate-receive -e'
until [ -e far.8 ]; do sleep 0.1; done; cat far.8
xl list
xl destroy g--migratedaway
