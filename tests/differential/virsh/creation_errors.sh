# Creations that fail. In some of these cases libxl has already made a domain and used a domid, so no later
# command shows a domid.
sed 's,<kernel>.*</kernel>,<kernel>/nonexistent</kernel>,' guest.xml >a.xml; virsh create a.xml
sed 's,<kernel>.*</kernel>,<kernel>/etc/passwd</kernel>,' guest.xml >a.xml; virsh create a.xml
sed "s,'MiB'>32,'GiB'>100," guest.xml >a.xml; virsh create a.xml
sed "s,'MiB'>32,'KiB'>0," guest.xml >a.xml; virsh create a.xml
sed "s,<vcpu>2,<vcpu>0," guest.xml >a.xml; virsh create a.xml
sed "s,<name>v,<name>Domain-0," guest.xml >a.xml; virsh create a.xml
sed "s,xenbr0,nobridge," devices.xml >a.xml; truncate -s 1M one.img; virsh create a.xml
rm one.img; virsh create devices.xml
virsh list --all
