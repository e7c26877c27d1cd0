/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Which protocol begins with these bytes. Looks at 16 bytes at most, so that it runs on every new connection.
 *
 * HTTP/1: a method and its target, or "HTTP/1.". PostgreSQL: a start-up, SSL, GSS or cancel request; in the middle of a
 * connection a Query, Parse or Bind whose length fits. MySQL: the server's greeting; in the middle a command packet that
 * fills the call exactly. Redis: an array of bulk strings. FastCGI: a record that begins a request. HTTP/2: the client's
 * preface, or the server's settings before anything else; in the middle a HEADERS frame. TLS is recognised to be left alone.
 */
#ifndef ROOTWALK_INFER_BPF_H
#define ROOTWALK_INFER_BPF_H

#include "common.bpf.h"
#include <bpf/bpf_endian.h>

#define INFER_BYTES 16
/* Fewer bytes than this that fit nothing may still become something. */
#define INFER_ENOUGH 12
#define INFER_NONE -1
#define INFER_MORE 0

struct first_bytes {
	__u8 b[INFER_BYTES];
};

#define WORD(a, b, c, d) ((__u32)(a) | (__u32)(b) << 8 | (__u32)(c) << 16 | (__u32)(d) << 24)

static __always_inline __u32 word_at(const __u8 *b, int at)
{
	return WORD(b[at], b[at + 1], b[at + 2], b[at + 3]);
}

static __always_inline bool is_digit(__u8 c)
{
	return c >= '0' && c <= '9';
}

static __always_inline bool is_target(__u8 c)
{
	return c == '/' || c == '*' || c == 'h' || c == 'H';
}

/* Statements begin with a letter, a comment, a bracket or white space. */
static __always_inline bool begins_statement(__u8 c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '/' || c == '-' || c == '(' || c == ' ' ||
	       c == '\n' || c == '\r' || c == '\t' || c == ';';
}

static __always_inline bool is_http1_request(const __u8 *b)
{
	__u32 first = word_at(b, 0), second = word_at(b, 4);

	if (first == WORD('G', 'E', 'T', ' ') || first == WORD('P', 'U', 'T', ' '))
		return is_target(b[4]);
	if (first == WORD('P', 'O', 'S', 'T') || first == WORD('H', 'E', 'A', 'D'))
		return b[4] == ' ' && is_target(b[5]);
	if (first == WORD('P', 'A', 'T', 'C'))
		return b[4] == 'H' && b[5] == ' ' && is_target(b[6]);
	if (first == WORD('T', 'R', 'A', 'C'))
		return b[4] == 'E' && b[5] == ' ' && is_target(b[6]);
	if (first == WORD('D', 'E', 'L', 'E'))
		return b[4] == 'T' && b[5] == 'E' && b[6] == ' ' && is_target(b[7]);
	if (first == WORD('O', 'P', 'T', 'I'))
		return second == WORD('O', 'N', 'S', ' ') && is_target(b[8]);
	return first == WORD('C', 'O', 'N', 'N') && second == WORD('E', 'C', 'T', ' ');
}

static __always_inline bool is_http1_response(const __u8 *b)
{
	return word_at(b, 0) == WORD('H', 'T', 'T', 'P') && b[4] == '/' && b[5] == '1' && b[6] == '.';
}

static __always_inline bool is_redis(const __u8 *b)
{
	if (b[0] != '*' || !is_digit(b[1]))
		return false;
	if (b[2] == '\r')
		return b[3] == '\n' && b[4] == '$';
	if (!is_digit(b[2]))
		return false;
	if (b[3] == '\r')
		return b[4] == '\n' && b[5] == '$';
	return is_digit(b[3]) && (is_digit(b[4]) || b[4] == '\r');
}

static __always_inline bool is_postgresql_start(const __u8 *b)
{
	__u32 length = bpf_ntohl(word_at(b, 0)), code = bpf_ntohl(word_at(b, 4));

	if (length < 8 || length > 10000)
		return false;
	/* Protocol 3.0 and 3.2; CancelRequest, SSLRequest, GSSENCRequest. */
	return code == 196608 || code == 196610 || (code >= 80877102 && code <= 80877104);
}

static __always_inline bool is_postgresql_request(const __u8 *b, __u32 full)
{
	__u32 length = bpf_ntohl(word_at(b, 1));

	if (length < 5 || length >= full)
		return false;
	if (b[0] == 'Q')
		return begins_statement(b[5]);
	return (b[0] == 'P' || b[0] == 'B') && length >= 8;
}

static __always_inline bool is_mysql_greeting(const __u8 *b, __u32 full)
{
	__u32 length = word_at(b, 0) & 0xffffff;

	if (b[3] != 0)
		return false;
	if (b[4] == 10)
		return is_digit(b[5]) && (b[6] == '.' || is_digit(b[6]));
	/* Too many connections, host not allowed: an error packet instead of the greeting. */
	return b[4] == 0xff && length + 4 == full && length > 3;
}

static __always_inline bool is_mysql_command(const __u8 *b, __u32 full)
{
	__u32 length = word_at(b, 0) & 0xffffff;

	if (b[3] != 0 || length + 4 != full)
		return false;
	if (b[4] == 0x03 || b[4] == 0x16) /* COM_QUERY, COM_STMT_PREPARE */
		return length > 4 && begins_statement(b[5]);
	if (b[4] == 0x17) /* COM_STMT_EXECUTE */
		return length >= 10;
	return (b[4] == 0x0e && length == 1) || (b[4] == 0x19 && length == 5); /* COM_PING, COM_STMT_CLOSE */
}

/* The header of FCGI_BEGIN_REQUEST: version 1, type 1, an id, 8 bytes of content, neither padding nor reserved bits. */
static __always_inline bool is_fastcgi_begin_header(__u32 first, __u32 second)
{
	return (first & 0xffff) == 0x0101 && (first >> 16) != 0 && second == WORD(0, 8, 0, 0);
}

static __always_inline bool is_fastcgi_begin(const __u8 *b)
{
	if (!is_fastcgi_begin_header(word_at(b, 0), word_at(b, 4)))
		return false;
	/* Role: responder, authorizer, filter. Flags: keep the connection. What follows is reserved and may hold anything. */
	return b[8] == 0 && b[9] >= 1 && b[9] <= 3 && b[10] <= 1;
}

/*
 * PHP reads headers apart from contents: in mid-life two of them may come together, that of the empty record which ends
 * the params and that of the standard input, or of the record which ends the input and of the next request's first.
 */
static __always_inline bool is_fastcgi_headers(const __u8 *b)
{
	if (b[0] != 1 || (word_at(b, 0) >> 16) == 0 || word_at(b, 4) != 0)
		return false;
	if (b[1] == 4)
		return b[8] == 1 && b[9] == 5 && b[10] == b[2] && b[11] == b[3] && b[15] == 0;
	return b[1] == 5 && is_fastcgi_begin_header(word_at(b, 8), word_at(b, 12));
}

static __always_inline bool is_tls(const __u8 *b)
{
	return b[0] >= 0x14 && b[0] <= 0x17 && b[1] == 3 && b[2] <= 4;
}

static __always_inline bool is_h2_preface(const __u8 *b)
{
	return word_at(b, 0) == WORD('P', 'R', 'I', ' ') && word_at(b, 4) == WORD('*', ' ', 'H', 'T');
}

/* A server's first frame, whole: SETTINGS of stream 0, no acknowledgement; what it says first, or what follows, fits. */
static __always_inline bool is_h2_settings(const __u8 *b, __u32 full)
{
	if (word_at(b, 3) != WORD(4, 0, 0, 0) || b[7] != 0 || b[8] != 0 || b[0] != 0 || b[1] != 0 || b[2] % 6 != 0 ||
	    b[2] + 9u > full)
		return false;
	if (b[2] == 0) /* alone, or before a WINDOW_UPDATE */
		return full == 9 || (b[9] == 0 && b[10] == 0 && b[11] == 4 && b[12] == 8 && b[13] == 0);
	return b[9] == 0 && b[10] >= 1 && b[10] <= 9;
}

/* Static entry that a HEADERS frame's first field names: 1 to 7 begin a request, 8 to 14 a response; 0 for none. */
static __always_inline __u8 h2_first_field(const __u8 *b)
{
	__u8 first = b[4] & 0x20 ? b[14] : b[9]; /* behind the priority, if there is one */
	__u8 field = first >= 0x80 ? first & 0x7f : first >= 0x40 ? first & 0x3f : first < 0x20 ? first & 0xf : 0;

	return field <= 14 ? field : 0;
}

/*
 * In the middle of a connection: a whole HEADERS frame of a client's stream, not padded, with its END_HEADERS, that is not
 * longer than the call and begins with a pseudo-field. 37 bits are as they must be; of random bytes one call in 10^11 is.
 */
static __always_inline bool is_h2_headers(const __u8 *b, __u32 full)
{
	__u32 length = (__u32)b[1] << 8 | b[2];

	if (b[0] != 0 || length == 0 || length > 16384 || length + 9 > full || b[3] != 1)
		return false;
	return (b[4] & ~0x21) == 0x04 && b[5] == 0 && (b[8] & 1) && h2_first_field(b) != 0;
}

/* All of these bytes are one DATA frame's: no other frame begins among them. */
static __always_inline bool is_h2_body(const __u8 *b, __u32 captured)
{
	__u32 length = (__u32)b[0] << 16 | (__u32)b[1] << 8 | b[2];

	return b[3] == 0 && (b[4] & ~0x09) == 0 && (b[5] & 0x80) == 0 && length + 9 >= captured;
}

/*
 * @bytes  zero beyond @length
 * @length bytes that are real
 * @full   bytes the call moved
 * @fresh  the connection is seen from its first byte
 * Returns enum rw_protocol, INFER_MORE or INFER_NONE. Not static: the verifier looks at it once, not at every call.
 */
__noinline int infer(const struct first_bytes *bytes, __u32 length, __u32 full, bool fresh)
{
	const __u8 *b;

	if (!bytes)
		return INFER_NONE;
	b = bytes->b;
	if (is_http1_request(b) || is_http1_response(b))
		return RW_PROTO_HTTP1;
	if (is_redis(b))
		return RW_PROTO_REDIS;
	if (is_postgresql_start(b))
		return RW_PROTO_POSTGRESQL;
	if (is_mysql_greeting(b, full))
		return RW_PROTO_MYSQL;
	if (is_fastcgi_begin(b))
		return RW_PROTO_FASTCGI;
	if (is_tls(b))
		return RW_PROTO_TLS;
	if (is_h2_preface(b) || (fresh && is_h2_settings(b, full)))
		return RW_PROTO_H2;
	if (!fresh) {
		if (is_h2_headers(b, full))
			return RW_PROTO_H2;
		if (is_postgresql_request(b, full))
			return RW_PROTO_POSTGRESQL;
		if (is_mysql_command(b, full))
			return RW_PROTO_MYSQL;
		if (is_fastcgi_headers(b))
			return RW_PROTO_FASTCGI;
	}
	return length < INFER_ENOUGH ? INFER_MORE : INFER_NONE;
}

/* Who sent bytes that begin so: the client, the server, or RW_ROLE_UNKNOWN when they do not tell. */
static __always_inline __u8 sender_of(const __u8 *b, __u8 protocol)
{
	switch (protocol) {
	case RW_PROTO_HTTP1:
		return is_http1_response(b) ? RW_ROLE_SERVER : RW_ROLE_CLIENT;
	case RW_PROTO_POSTGRESQL:
	case RW_PROTO_FASTCGI:
		return RW_ROLE_CLIENT;
	case RW_PROTO_MYSQL:
		return b[4] == 10 || b[4] == 0xff ? RW_ROLE_SERVER : RW_ROLE_CLIENT;
	case RW_PROTO_H2:
		if (b[0] == 'P')
			return RW_ROLE_CLIENT;
		if (b[3] != 1)
			return RW_ROLE_UNKNOWN;
		return h2_first_field(b) < 8 ? RW_ROLE_CLIENT : RW_ROLE_SERVER;
	default:
		return RW_ROLE_UNKNOWN;
	}
}

#endif
