# A driver domain that runs xl's daemon (xl devd). The daemon connects the devices of another guest.
truncate -s 1M one.img
xl create -q driver.cfg
aioxen-sim-ctl inside 1 xl devd -p /run/devd.pid
xl create -q pvh.cfg 'name="g"' 'vif=["mac=00:16:3e:00:00:02"]'
xl block-attach g "format=raw, vdev=xvda, access=rw, backend=driver, target=$PWD/one.img"
xl network-attach g mac=00:16:3e:00:00:01 bridge=xenbr0 backend=driver
xl block-list g
xl network-list g
xl network-detach g 1
xl block-detach g xvda
xl destroy g
kill $(cat /run/devd.pid)
xl destroy driver
