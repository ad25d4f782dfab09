# Commands with mistakes.
virsh domid nobody
virsh start nobody
virsh destroy nobody
virsh create nothing.xml
virsh create native.cfg
virsh list --all
virsh destroy 0
virsh suspend 0
virsh shutdown 77
virsh dominfo 0
virsh vcpucount 0
virsh dumpxml 0
virsh create guest.xml
virsh create guest.xml
sed "s,<name>v,<name>w," guest.xml >a.xml; virsh create a.xml
virsh migrate --live v xen+unix:///nowhere
virsh snapshot-list v
virsh blockresize v xvda 1M
virsh pool-list
virsh reset v
virsh screenshot v
virsh dompmsuspend v mem
virsh dompmwakeup v
virsh domhostname v
virsh setvcpus v 0
virsh setmem v 0
virsh detach-disk v xvda
virsh destroy v
virsh destroy v
