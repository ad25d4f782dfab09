# Memory, processors and schedulers of a domain that runs.
xl create -q pvh.cfg
xl mem-set g 24
xl mem-set g 24M
xl list g
xl mem-set g 1000
xl mem-max g 48
xl mem-max g 8
xl mem-set g 32
xl vcpu-list
xl vcpu-list g
xl vcpu-set g 2
xl vcpu-list g
xl vcpu-set g 3
xl vcpu-set g 1
xl vcpu-list g
xl vcpu-pin g 0 0
xl vcpu-list g
xl vcpu-pin g all 1 0
xl vcpu-list g
xl vcpu-pin g all all all
xl vcpu-pin g 0 9
xl vcpu-pin g 7 0
xl vcpu-pin -f g 0 0
xl vcpu-list g
xl sched-credit2
xl sched-credit2 -d g
xl sched-credit2 -d g -w 512
xl sched-credit2 -d g -c 50
xl sched-credit2 -d g
xl sched-credit2 -d g -w 0
xl sched-credit2 -s
xl sched-credit
xl sched-rtds
xl list -l g | grep -A4 sched_params
xl claims
xl sharing
xl trigger g nmi
xl trigger g nmi 0
xl trigger g nonsense
xl sysrq g h
xl sysrq g
xl button-press g power
xl destroy g
