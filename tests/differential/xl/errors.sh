# Commands with mistakes.
xl
xl nonsense
xl help nonsense
xl list nobody
xl list 77
xl domid nobody
xl domname 77
xl domname
xl destroy nobody
xl destroy 77
xl destroy 0
xl destroy
xl pause nobody
xl pause 77
xl unpause 77
xl unpause Domain-0
xl shutdown nobody
xl shutdown 77
xl reboot 77
xl rename 77 other
xl rename nobody other
xl create nothing.cfg
xl create -q /dev/null
xl create -q /dev/null 'name="x"'
xl create -q pvh.cfg 'kernel="/nonexistent"'
xl create -q pvh.cfg 'kernel="/etc/passwd"'
xl create -q pvh.cfg 'memory=100000'
xl create -q pvh.cfg 'memory=0' 'maxmem=0'
xl create -q pvh.cfg 'name="Domain-0"'
xl create -q pvh.cfg 'type="wrong"'
xl create -q pvh.cfg 'vcpus=3' 'maxvcpus=2'
xl create -q pvh.cfg 'pool="nopool"'
xl create -q pvh.cfg 'disk=["format=raw, vdev=xvda, access=rw, target=nothing.img"]'
xl create -q pvh.cfg 'vif=["bridge=nobridge"]'
xl list
xl mem-set nobody 10
xl mem-set 77 10
xl mem-max 77 10
xl vcpu-set 77 1
xl vcpu-pin 77 all all
xl vcpu-list 77
xl trigger 77 nmi
xl sysrq 77 h
xl block-list 77
xl network-list 77
xl block-attach 77 phy:/dev/null,xvdb,w
xl network-attach 77
xl console 77
xl save 77 saved
xl restore nothing
xl dump-core 77 core
xl uptime 77
xl cpupool-destroy nopool
xl sched-credit -d 77 -w 300
xl sched-credit2 -d 77 -w 300
