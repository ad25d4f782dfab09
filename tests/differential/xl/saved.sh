# Saving and restoring.
xl create -q pvh.cfg
xl save -p g saved
xl list
xl unpause g
xl destroy g
test -s saved
xl restore saved
xl list
xl save -c g saved
xl list
xl save g saved
xl list
xl restore -p saved
xl list
xl unpause g
xl destroy g
xl restore nonsense.cfg
head -c 1000 saved > short
xl restore short
xl list
xl create -q pvh.cfg
xl dump-core g core
test -s core
xl destroy g
xl create -q pvh.cfg
xl config-update g pvh.cfg 'memory=24'
xl list -l g | grep target_memkb
xl destroy g
