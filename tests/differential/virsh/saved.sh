# Saving, restoring and dumping.
virsh create guest.xml
virsh save v saved
virsh list --all
test -s saved
virsh save-image-dumpxml saved
virsh restore saved
virsh list
virsh save v saved
virsh restore --paused saved
virsh list
virsh resume v
virsh dump v core
test -s core
virsh dump --live v core2
virsh dump --crash v core3
virsh list --all
virsh restore saved
virsh destroy v
virsh define guest.xml
virsh start v
virsh managedsave v
virsh list --all --managed-save
virsh dominfo v
virsh start v
virsh list --all --managed-save
virsh managedsave v
virsh managedsave-remove v
virsh start v
virsh destroy v
virsh undefine v
virsh restore guest.xml
virsh restore nothing
head -c 3000 saved >short; virsh restore short
virsh list --all
