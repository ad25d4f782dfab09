# Several commands at once, and an attached console.
virsh create guest.xml; virsh create pv.xml
(virsh suspend v & virsh suspend p & wait) | sort; virsh list | awk '{print $2, $3}' | sort
(virsh resume v & virsh resume p & wait) | sort; virsh list | awk '{print $2, $3}' | sort
virsh setmem v 28M & virsh setmem p 24M & wait; until virsh dommemstat v | grep -qx 'actual 28672'; do sleep 0.1; done; until virsh dommemstat p | grep -qx 'actual 24576'; do sleep 0.1; done
(virsh destroy v & virsh destroy p & wait) | sort; virsh list --all
virsh create guest.xml
rm -f seen; (until grep -qs tiny seen; do sleep 0.1; done; printf 'hello\r'; until grep -q 'echo: hello' seen; do sleep 0.1; done; printf '\035') | script -qfec 'virsh console v' seen
virsh destroy v & virsh list >/dev/null & wait; virsh list --all
for n in 1 2 3 4; do sed -e "s,<name>v,<name>v$n," -e "s,<uuid>2,<uuid>$((n + 4))," guest.xml >v$n.xml; done
(for n in 1 2 3 4; do virsh create v$n.xml & done; wait) | sort; virsh list --name | sort; (for n in 1 2 3 4; do virsh destroy v$n & done; wait) | sort
virsh list --all
