# Disks and network interfaces.
truncate -s 1M one.img two.img
virsh create devices.xml
virsh domblklist d
virsh domblklist --details d
virsh domiflist d
virsh domif-getlink d vif1.0
virsh domblkinfo d xvda
virsh attach-disk d $PWD/two.img xvdb
virsh domblklist d
virsh attach-disk d $PWD/two.img xvdb
virsh detach-disk d xvdb
virsh domblklist d
virsh detach-disk d xvdb
virsh attach-disk d $PWD/nothing.img xvdb
virsh attach-disk d $PWD/two.img xvdb --mode readonly
virsh detach-disk d xvdb
virsh attach-device d disk.xml
virsh domblklist d
virsh detach-device d disk.xml
virsh detach-device d disk.xml
virsh attach-device d nic.xml
virsh domiflist d
virsh detach-device d nic.xml
virsh detach-device d nic.xml
virsh attach-interface d bridge xenbr0 --mac 00:16:3e:00:00:02 --script vif-bridge
virsh domiflist d
virsh detach-interface d bridge --mac 00:16:3e:00:00:02
virsh detach-interface d bridge --mac 00:16:3e:00:00:02
virsh domiflist d
virsh domifstat d vif1.0
virsh domblkstat d xvda
virsh domstats --block --interface d
virsh dumpxml d
virsh attach-interface d bridge nobridge --mac 00:16:3e:00:00:02
virsh destroy d
virsh list --all
