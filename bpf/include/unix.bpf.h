/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Unix stream sockets: who is who, and whether they live.
 *
 * No tracepoint tells of their lives, so they are met at accept, at connect and at their first use, and are over when
 * list_conns finds them dead, or when another takes their place. What is known of a connection is kept from the first
 * use on; it is told (listener, then connection, then payload) once its bytes are of a protocol that is parsed: most Unix
 * sockets are of no service (logs, D-Bus, control sockets). Not seen: datagrams, and pairs without a name.
 */
#ifndef ROOTWALK_UNIX_BPF_H
#define ROOTWALK_UNIX_BPF_H

#include "common.bpf.h"

#define UNIX_STREAM 1
#define UNIX_NAME_MAX 108
#define SCRAMBLE 0x9e3779b97f4a7c15ull

struct sockaddr_un___rw {
	__u16 sun_family;
	char sun_path[UNIX_NAME_MAX];
} __attribute__((preserve_access_index));

struct unix_address___rw {
	int len;
	struct sockaddr_un___rw name[];
} __attribute__((preserve_access_index));

struct unix_sock___rw {
	struct unix_address___rw *addr;
	struct path path;
	struct sock *peer;
} __attribute__((preserve_access_index));

/* A Unix socket's address as in struct rw_tuple. */
struct unix_id {
	__u64 number;
	__u32 device;
	__u8 kind;
	__u8 reserved[3];
};

/* A path as clients spell it. */
struct unix_name {
	__u64 hash;
	__u32 netns;
	__u32 reserved;
};

/* key: path. value: what answered there last, to tell who does not answer any more. bound: 1024, least used leave. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct unix_name);
	__type(value, struct unix_id);
} unix_names __weak SEC(".maps");

/* key: what a listener is bound to. value: 1, it was told. bound: 4096, least used are told again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct unix_id);
	__type(value, __u8);
} unix_told __weak SEC(".maps");

static __always_inline bool is_unix_stream(const struct sock *sk)
{
	if (BPF_CORE_READ(sk, __sk_common.skc_family) != AF_UNIX || !bpf_core_type_exists(struct unix_sock___rw))
		return false;
	return BPF_CORE_READ_BITFIELD_PROBED(sk, sk_type) == UNIX_STREAM;
}

static __always_inline bool is_unix(const struct rw_tuple *tuple)
{
	return tuple->family == RW_FAMILY_UNIX;
}

static __always_inline struct sock *unix_peer(const struct sock *sk)
{
	return BPF_CORE_READ((const struct unix_sock___rw *)sk, peer);
}

static __always_inline bool is_bound(const struct sock *sk)
{
	return sk && BPF_CORE_READ((const struct unix_sock___rw *)sk, addr) != NULL;
}

/* FNV-1a of at most UNIX_NAME_MAX bytes; of paths up to their zero. */
static __noinline __u64 hash_name(const char *name, __u32 length, bool is_path)
{
	__u64 hash = 0xcbf29ce484222325ull;

	if (!name)
		return 0;
	for (__u32 i = 0; i < UNIX_NAME_MAX; i++) {
		if (i >= length || (is_path && name[i] == 0))
			break;
		hash = (hash ^ (__u8)name[i]) * 0x100000001b3ull;
	}
	return hash;
}

struct name_buffer {
	char path[UNIX_NAME_MAX];
};

/* What a bound socket is bound to. */
static __always_inline void read_unix_id(struct unix_id *id, const struct sock *sk, __u32 netns)
{
	const struct unix_sock___rw *own = (const struct unix_sock___rw *)sk;
	struct dentry *dentry = BPF_CORE_READ(own, path.dentry);
	struct name_buffer name = {};
	struct unix_address___rw *addr;
	int length;

	if (dentry) {
		id->number = BPF_CORE_READ(dentry, d_inode, i_ino);
		id->device = BPF_CORE_READ(dentry, d_sb, s_dev);
		id->kind = RW_UNIX_PATH;
		return;
	}
	addr = BPF_CORE_READ(own, addr);
	length = BPF_CORE_READ(addr, len) - (int)sizeof(__u16);
	bpf_probe_read_kernel(&name, sizeof(name), &addr->name[0].sun_path);
	id->number = hash_name(name.path, length > 0 ? length : 0, false);
	id->device = netns;
	id->kind = RW_UNIX_ABSTRACT;
}

/*
 * The credentials a socket shows the other end: of a client's, who called listen(); of a server's, who called connect().
 * Real process id of the first namespace.
 */
static __always_inline __u32 unix_peer_tgid(const struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_peer_pid, numbers[0].nr);
}

/* Both addresses of a connected socket; its role decides which end is the bound one. */
static __always_inline void read_unix_tuple(struct rw_tuple *tuple, const struct sock *sk, const struct sock *peer,
					    __u32 netns)
{
	const struct sock *server = tuple->role == RW_ROLE_SERVER ? sk : peer;
	const struct sock *client = tuple->role == RW_ROLE_SERVER ? peer : sk;
	struct unix_id bound = {};
	struct unix_id caller = {
		.number = (__u64)client * SCRAMBLE,
		.device = unix_peer_tgid(server),
		.kind = RW_UNIX_CLIENT,
	};

	read_unix_id(&bound, server, netns);
	tuple->family = RW_FAMILY_UNIX;
	if (tuple->role == RW_ROLE_SERVER) {
		__builtin_memcpy(tuple->local_addr, &bound, sizeof(bound));
		__builtin_memcpy(tuple->remote_addr, &caller, sizeof(caller));
	} else {
		__builtin_memcpy(tuple->local_addr, &caller, sizeof(caller));
		__builtin_memcpy(tuple->remote_addr, &bound, sizeof(bound));
	}
}

/* A socket that was freed, or is another's by now, is not the end of this connection any more. */
static __always_inline bool unix_lives(const struct sock *sk, const struct conn *conn)
{
	struct socket *socket;

	if (BPF_CORE_READ(sk, __sk_common.skc_family) != AF_UNIX)
		return false;
	socket = BPF_CORE_READ(sk, sk_socket);
	return socket && BPF_CORE_READ(socket, sk) == sk && (__u64)unix_peer(sk) == conn->peer;
}

#endif
