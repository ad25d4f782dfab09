# The life of a domain, and events.
virsh list --all
virsh define guest.xml
virsh list --all
virsh dominfo v
virsh start v
virsh list
virsh domid v
virsh domname 1
virsh domuuid v
virsh domstate --reason v
virsh dominfo v
virsh dumpxml v
virsh dumpxml --inactive v
virsh autostart v
virsh autostart --disable v
virsh domrename v w
virsh start v
virsh suspend v
virsh domstate --reason v
virsh suspend v
virsh resume v
virsh resume v
virsh domstate --reason v
virsh shutdown v; until virsh domstate v | grep -q 'shut off'; do sleep 0.05; done
virsh list --all
virsh domstate --reason v
virsh start --paused v
virsh list
virsh resume v
virsh reboot v; until [ "$(virsh domid v)" = 3 ]; do sleep 0.05; done
virsh list
virsh destroy v
virsh domstate --reason v
virsh undefine v
virsh list --all
sed -e 's,<name>v,<name>ready,' -e 's,<uuid>2,<uuid>9,' guest.xml >ready.xml
env --default-signal=INT stdbuf -oL virsh event --all --loop >seen 2>&1 & echo $! >pid; until grep -qs ready seen; do virsh define ready.xml; virsh undefine ready; done >/dev/null
virsh create guest.xml
virsh suspend v
virsh resume v
virsh destroy v
until grep -q Destroyed seen; do sleep 0.05; done; kill -INT $(cat pid); while kill -0 $(cat pid) 2>/dev/null; do sleep 0.05; done; grep -v -e ready -e 'events received' seen | sort
virsh create --paused guest.xml
virsh list
virsh destroy --graceful v
virsh create pv.xml
virsh list
virsh dominfo p
virsh dumpxml p
virsh shutdown p; until ! virsh domid p >/dev/null 2>&1; do sleep 0.05; done
virsh list --all
