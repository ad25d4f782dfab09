# Cpupools.
xl cpupool-cpu-remove Pool-0 1
xl cpupool-list
xl cpupool-create 'name="second"' 'sched="credit2"' 'cpus=["1"]'
xl cpupool-list
xl cpupool-list -c
xl create -q pvh.cfg
xl list -c g
xl cpupool-migrate g second
xl list -c g
xl cpupool-destroy second
xl cpupool-migrate g Pool-0
xl list -c g
xl cpupool-migrate g nopool
xl cpupool-migrate g second
xl destroy g
xl create -q pvh.cfg 'pool="second"'
xl list -c g
xl cpupool-list
xl destroy g
xl create -q pvh.cfg 'pool="Pool-0"'
xl list -c g
xl destroy g
xl create -q pvh.cfg 'pool="1"'
xl list -c g
xl destroy g
xl create -q pvh.cfg 'pool="66"'
xl create -q pvh.cfg 'pool=""'
xl list -c
xl cpupool-rename second other
xl cpupool-cpu-remove other 1
xl cpupool-cpu-add other 1
xl cpupool-destroy other
xl cpupool-list
xl cpupool-cpu-add Pool-0 1
xl cpupool-list
xl cpupool-numa-split
