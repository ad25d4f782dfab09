# Disks and network interfaces.
truncate -s 1M one.img two.img
xl create -q devices.cfg
xl list
xl block-list d
xl network-list d
xl list -l d | sed -n '/disks/,$p'
xl block-attach d format=raw,vdev=xvdb,access=r,target=two.img
xl block-list d
xl block-attach d format=raw,vdev=xvdb,access=r,target=two.img
xl block-detach d xvdb
xl block-list d
xl block-detach d xvdb
xl block-attach d format=raw,vdev=xvdc,access=rw,target=nothing.img
xl block-list d
xl network-attach d mac=00:16:3e:00:00:02,bridge=xenbr0
xl network-list d
xl network-detach d 1
xl network-list d
xl network-detach d 00:16:3e:00:00:02
xl network-detach d 7
xl network-attach d mac=nonsense
xl block-attach d
xl vtpm-list d
xl vkb-list d
xl channel-list d
xl pci-list d
xl usb-list d
xl block-detach d xvda
xl block-list d
xl shutdown -w d
xl list
