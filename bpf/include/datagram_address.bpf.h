/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The addresses of a datagram, where its socket does not have them: in the message, in user memory. */
#ifndef ROOTWALK_DATAGRAM_ADDRESS_BPF_H
#define ROOTWALK_DATAGRAM_ADDRESS_BPF_H

#include "sock.bpf.h"

#define DNS_PORT 53
#define IP_LEVEL 0
#define IP_PKTINFO 8
#define IPV6_LEVEL 41
#define IPV6_PKTINFO 50

/* One message of a call. Addresses are of user memory; 0: there is none. */
struct datagram {
	__u64 sk;
	__u64 ts_ns;
	__u64 name;
	__u64 control;
	__u64 control_length;
	__u64 payload;
	__u64 captured;
	__u64 full_length;
	__s32 error;
	__u32 direction;
};

/* The first control message of a call that sends: the address it is sent from. */
struct source_address {
	__u64 length;
	__s32 level;
	__s32 type;
	__u32 words[5]; /* struct in_pktinfo (12 bytes) or struct in6_pktinfo */
};

#define SOURCE_V4_BYTES 28

static __always_inline bool names_dns(__u64 name)
{
	struct sockaddr_in address = {};

	/* Family and port, which IPv6 has in the same place. */
	if (!name || bpf_probe_read_user(&address, 4, (void *)name))
		return false;
	return address.sin_port == bpf_htons(DNS_PORT);
}

static __always_inline void set_remote_v4(struct rw_tuple *tuple, __u32 address)
{
	set_v4(tuple->remote_addr, address);
	if (tuple->family == 6)
		set_v4(tuple->local_addr, 0);
	tuple->family = 4;
}

static __always_inline void read_remote(struct rw_tuple *tuple, __u64 name)
{
	struct sockaddr_in6 address = {};

	if (!name || bpf_probe_read_user(&address, sizeof(struct sockaddr_in), (void *)name))
		return;
	if (address.sin6_family == AF_INET) {
		set_remote_v4(tuple, ((struct sockaddr_in *)&address)->sin_addr.s_addr);
	} else if (address.sin6_family == AF_INET6) {
		bpf_probe_read_user(&address, sizeof(address), (void *)name);
		__builtin_memcpy(tuple->remote_addr, &address.sin6_addr, 16);
		if (is_mapped_v4(tuple->remote_addr))
			set_remote_v4(tuple, ((__u32 *)tuple->remote_addr)[3]);
	} else {
		return;
	}
	tuple->remote_port = bpf_ntohs(address.sin6_port);
}

/* Servers that are bound to all addresses say from which one they answer. */
static __always_inline void read_source(struct rw_tuple *tuple, const struct datagram *datagram)
{
	const __u32 *local = (const __u32 *)tuple->local_addr;
	struct source_address source = {};
	void *at = (void *)datagram->control;

	if ((local[0] | local[1] | local[2] | local[3]) != 0 || !at || datagram->control_length < SOURCE_V4_BYTES)
		return;
	if (bpf_probe_read_user(&source, SOURCE_V4_BYTES, at))
		return;
	if (source.level == IP_LEVEL && source.type == IP_PKTINFO && tuple->family == 4) {
		set_v4(tuple->local_addr, source.words[1]);
		return;
	}
	if (source.level != IPV6_LEVEL || source.type != IPV6_PKTINFO ||
	    bpf_probe_read_user(&source, sizeof(source), at))
		return;
	if (tuple->family == 4)
		set_v4(tuple->local_addr, source.words[3]);
	else
		__builtin_memcpy(tuple->local_addr, source.words, 16);
}

#endif
