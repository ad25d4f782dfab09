# Guests that stop.
xl create -q pvh.cfg 'extra="p"' 'uuid="11111111-2222-3333-4444-555555555555"'; until ! xl domid g >/dev/null 2>&1; do sleep 0.1; done
xl list
xl create -q pvh.cfg 'extra="c"' 'on_crash="preserve"'
sleep 0.3
xl list
xl destroy g
xl create -q pvh.cfg 'extra="p"' 'on_poweroff="preserve"'
sleep 0.3
xl list
xl destroy g
xl create -q pvh.cfg
xl reboot -w g
until xl domid g >/dev/null 2>&1; do sleep 0.1; done
xl list
xl shutdown -w g
xl create -q pvh.cfg
xl create -q pvh.cfg 'name="h"'
xl shutdown -a
until ! xl domid g >/dev/null 2>&1 && ! xl domid h >/dev/null 2>&1; do sleep 0.1; done
xl list
xl create -q pvh.cfg 'extra="b"'
xl create -q pvh.cfg 'name="h"'
xl pause g & xl pause h & wait
xl list
xl unpause g & xl unpause h & wait
xl list
xl destroy g & xl destroy h & wait
xl list
