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
env --default-signal=INT virsh event --all --loop >seen 2>&1 & echo $! >pid; sleep 0.5
virsh create guest.xml
virsh suspend v
virsh resume v
virsh destroy v
sleep 0.2; kill -INT $(cat pid); sleep 0.2; sort seen
virsh create --paused guest.xml
virsh list
virsh destroy --graceful v
virsh create pv.xml
virsh list
virsh dominfo p
virsh dumpxml p
virsh shutdown p; until ! virsh domid p >/dev/null 2>&1; do sleep 0.05; done
virsh list --all
