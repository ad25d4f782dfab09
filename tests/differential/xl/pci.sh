# PCI devices.
xl pci-assignable-list | sort
xl pci-assignable-add 01:00.0
xl pci-assignable-add 01:00.1
xl pci-assignable-add 09:00.0
xl pci-assignable-list | sort
xl create -q pci.cfg
xl pci-list p
xl pci-attach p 01:00.1
xl pci-list p
xl pci-attach p 01:00.1
xl pci-attach p 02:00.0
xl pci-attach p nonsense
xl pci-detach p 02:00.0
xl pci-assignable-remove 01:00.0
xl pci-detach p 01:00.0
xl pci-list p
xl pci-attach p 01:00.0,permissive=1
xl pci-detach p 01:00.0
xl pci-detach p 01:00.1
xl pci-list p
xl pci-attach p 01:00.1
xl destroy p
xl pci-assignable-remove -r 01:00.0
xl pci-assignable-remove -r 01:00.1
xl pci-assignable-list | sort
