// Sends datagrams under a name that is not its own, as fast as the machine can: a raw socket, whose UDP header is ours to
// write (raw(7)). Loopback only: the forged address has to be one of this machine.
//
// forger <forged address> <forged port> <victim address> <milliseconds>
// A line on standard input begins a flood of its own, in a process of its own:
//   <victim port> <offset> <width> <value to leave out, or -1> <payload in hex>
// `width` bytes (0, 2 or 8) at `offset` count up from one datagram to the next, from a random start. When a flood ends,
// the number of datagrams that were sent is printed.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, MOST = 1500, HEADER = 8 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void flood(int raw, struct sockaddr_in to, int port, int victim, int offset, int width, long out,
                  const uint8_t *payload, int length, double seconds) {
  static uint8_t packets[BATCH][MOST];
  struct mmsghdr messages[BATCH];
  struct iovec pieces[BATCH];
  uint64_t value = 0;
  if (getrandom(&value, sizeof value, 0) < 0) exit(1);
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < BATCH; i++) {
    uint16_t head[4] = {htons(port), htons(victim), htons(HEADER + length), 0};
    memcpy(packets[i], head, HEADER);
    memcpy(packets[i] + HEADER, payload, length);
    pieces[i] = (struct iovec){packets[i], HEADER + length};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &pieces[i], .msg_iovlen = 1};
  }
  long sent = 0;
  for (double end = now() + seconds; now() < end;) {
    for (int i = 0; i < BATCH; i++) {
      if (width == 0) continue;
      value++;
      if (width == 2) value &= 0xffff;
      if (out >= 0 && value == (uint64_t)out) value++;
      for (int at = 0; at < width; at++) packets[i][HEADER + offset + at] = value >> (8 * (width - 1 - at));
    }
    int done = sendmmsg(raw, messages, BATCH, 0);
    if (done > 0) sent += done;
  }
  printf("%ld\n", sent);
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
  if (inet_pton(AF_INET, argv[1], &from.sin_addr) != 1 || inet_pton(AF_INET, argv[3], &to.sin_addr) != 1) return 2;
  int raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
  if (raw < 0 || bind(raw, (struct sockaddr *)&from, sizeof from) < 0) {
    perror("forger");
    return 1;
  }
  signal(SIGCHLD, SIG_IGN);
  // Others test beside us.
  if (nice(19) == -1) perror("nice");
  char hex[2 * MOST];
  int victim, offset, width;
  long out;
  while (scanf("%d %d %d %ld %2900s", &victim, &offset, &width, &out, hex) == 5) {
    if (fork() != 0) continue;
    uint8_t payload[MOST];
    int length = strlen(hex) / 2;
    for (int i = 0; i < length; i++) {
      unsigned byte;
      sscanf(hex + 2 * i, "%2x", &byte);
      payload[i] = byte;
    }
    flood(raw, to, atoi(argv[2]), victim, offset, width, out, payload, length, atof(argv[4]) / 1000);
    return 0;
  }
  return 0;
}
