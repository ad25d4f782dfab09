# The life of domains on the real Xen.
xl create -q pvh.cfg
xl list
xl list -l g
xl rename g h
xl domid h
xl pause h
xl unpause h
xl mem-set h 24
xl vcpu-set h 2
xl vcpu-pin h 0 0
xl vcpu-list h
xl sched-credit2 -d h -w 512
xl sched-credit2 -d h
xl sysrq h h
xl shutdown -w h
xl list
xl create -q -p pv.cfg
xl unpause p
xl cpupool-list
xl destroy p
xl destroy p
xl create -q pvh.cfg 'kernel="/etc/passwd"'
xl list
