# The host.
xl info | grep -v -e xend_config -e ^system -e ^release -e ^version -e ^machine -e ^host
xl info -n | tail -12
xl info xen_version
xl info nonsense
xl debug-keys h
xl debug-keys ''
xl cpupool-list
xl cpupool-list -c
xl cpupool-list Pool-0
xl cpupool-list nopool
xl cpupool-rename Pool-0 Other
xl cpupool-list
xl cpupool-rename Other Pool-0
xl list -c
xl pci-assignable-list
xl usb-list Domain-0
xl uptime | sed 's/[0-9].*//'
xl vm-list
xl list -l Domain-0
xl dmesg | head -3
xl getenforce
xl setenforce 1
xl psr-hwinfo
xl psr-cmt-show total-mem-bandwidth
xl set-parameters nonsense=1
