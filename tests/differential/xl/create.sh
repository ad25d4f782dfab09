# Ways to create a domain.
xl create -p pvh.cfg
xl list g
xl unpause g
xl list g
xl destroy g
xl create -q pvh.cfg 'name="other"' 'memory=24'
xl list
xl create -n pvh.cfg
xl create -q pvh.cfg 'name="third"' 'uuid="22222222-2222-3333-4444-555555555555"'
xl list -v third
xl destroy third
xl destroy other
xl create pv.cfg
xl list
xl list -l p
xl vcpu-list p
xl destroy p
xl create -e -q pvh.cfg
xl destroy g
xl create -f pvh.cfg
xl destroy g
xl create -q /dev/null 'name="n"' 'type="pvh"' "kernel=\"$AIOXEN_TEST_KERNEL\"" 'memory=32'
xl destroy n
