# Memory, processors and the scheduler of a domain that runs, and the host.
virsh create guest.xml
virsh vcpucount v
virsh vcpuinfo v
virsh vcpupin v
virsh vcpupin v 0 1
virsh vcpupin v
virsh vcpupin v 0 9
virsh setvcpus v 1 --live
virsh vcpucount v
virsh setvcpus v 2 --live
virsh setvcpus v 3 --live
virsh setmem v 24M --live; until virsh dommemstat v | grep -qx 'actual 24576'; do sleep 0.1; done
virsh dominfo v
virsh setmem v 32M --live; until virsh dommemstat v | grep -qx 'actual 32768'; do sleep 0.1; done
virsh setmem v 100M --live
virsh setmaxmem v 48M --live
virsh dominfo v
virsh dommemstat v
virsh domstats --state --vcpu --balloon v | sed -E 's/(time|rss)=.*/\1=N/'
virsh schedinfo v
virsh schedinfo v --live --set weight=512
virsh schedinfo v
virsh schedinfo v --live --set weight=0
virsh numatune v
virsh inject-nmi v
virsh send-key v KEY_SYSRQ KEY_H
virsh domjobinfo v
virsh domcontrol v
virsh domtime v
virsh ttyconsole v
virsh cpu-stats v
virsh destroy v
virsh nodeinfo
virsh nodecpumap
virsh freecell
virsh freecell 0
virsh freecell 7
virsh nodememstats
virsh nodecpustats
virsh maxvcpus
virsh hostname | wc -l
virsh version
virsh capabilities | sed -e 's/<uuid>.*//' -e 's/<model>.*//'
virsh domcapabilities --virttype xen
virsh domxml-from-native xen-xl ../nothing
virsh domxml-to-native xen-xl guest.xml
printf 'name = "n"\ntype = "pvh"\nkernel = "/k"\nmemory = 32\nvcpus = 1\n' >native; virsh domxml-from-native xen-xl native
virsh list --all
