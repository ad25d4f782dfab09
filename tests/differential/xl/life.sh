# The life of a PVH domain.
xl list
xl create pvh.cfg
xl list
xl list g
xl list 1
xl list -v | tail -n +2 | wc -l
xl list -c
xl list -n g
xl list -Z g
xl list -l g
xl domid g
xl domname 1
xl vm-list
xl rename g h
xl domid h
xl domname 1
xl rename h g
xl pause g
xl list g
xl pause g
xl unpause g
xl unpause g
xl unpause g
xl list g
xl shutdown -w g
xl list
xl create pvh.cfg
xl destroy g
xl list
