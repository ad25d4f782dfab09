# Ways to save and to restore.
xl create -q pvh.cfg
xl save g
xl save
xl save nobody saved
xl save g /nonexistent/saved
xl save g .
xl list
xl save -c g one
xl list
xl save -p g two
xl list
xl unpause g
xl list
xl save g three pvh.cfg
xl list
xl restore -p three
xl list
xl unpause g
xl list
xl destroy g
xl restore -e one
xl list
xl destroy g
sed 's/name = "g"/name = "other"/' pvh.cfg > other.cfg
xl restore other.cfg two
xl list
xl list -l other | grep '"name"'
xl destroy other
xl restore -p -e two
xl list
xl destroy g
xl restore -q two
xl restore
xl restore /dev/null
xl restore .
# Xen has no log-dirty mode for PV guests, so a PV guest is not saved while it runs.
xl create -q pv.cfg
xl save p four
xl list
xl destroy p
xl restore four
xl list
# The guest does not suspend itself. The save helper ends only after xl has ended.
xl create -q pvh.cfg 'extra="b"'
env --default-signal=INT xl save g six & until [ "$(xenstore-read /local/domain/$(xl domid g)/control/shutdown)" = suspend ]; do sleep 0.1; done; kill -INT $!; wait $!; echo "status $?"; while pgrep 'aioxen-transfer|libxl-save-help' >/dev/null; do sleep 0.1; done
xl list
xl destroy g
xl create -q pvh.cfg 'extra="b"'
env --default-signal=INT xl save -c g six & until [ "$(xenstore-read /local/domain/$(xl domid g)/control/shutdown)" = suspend ]; do sleep 0.1; done; kill -INT $!; wait $!; echo "status $?"; while pgrep 'aioxen-transfer|libxl-save-help' >/dev/null; do sleep 0.1; done
xl list
xl destroy g
# A guest cannot be restored while another guest has its name.
xl create -q pvh.cfg
xl restore one
xl list
xl destroy g
xl list
