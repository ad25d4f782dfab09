# Virtual displays, sound devices and PV Calls devices. They are attached while the guest is paused, so that
# xl always finds the backend in the same state, in which the backend waits for the guest.
xl create -qp media.cfg
xl vdispl-attach m connectors=x:10x20
xl vsnd-attach m "CARD, short-name=Q" "PCM, name=o" "STREAM, unique-id=z, type=c"
xl vdispl-list m
xl unpause m
xl vdispl-list m
xl vsnd-list m
xl list -l m | sed -n '/vdispls/,/on_xend/p'
xl vdispl-attach m
xl vdispl-attach m be-alloc=0
xl vdispl-attach m backend=nobody,connectors=a:1x1
xl vdispl-detach m 7
xl vdispl-detach m 1
xl vdispl-list m
xl vsnd-detach m 1
xl vsnd-detach m 1
xl vsnd-list m
xl shutdown -w m
xl list
