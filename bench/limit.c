/*
 * The limit: what the kernel alone costs for the exchanges that checks consist of, by an epoll loop that decodes nothing.
 *   limit COUNT AT_ONCE EXCHANGE...
 * A check is its exchanges, one after the other: `tcp:PORT:HEX` connects to 127.0.0.1, sends, reads an answer and closes;
 * `udp:PORT:HEX` sends over the one socket, with an id of its own in the first two bytes, and reads an answer. Prints
 * microseconds of CPU (user and system) for each check.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_BYTES = 512, MOST_STEPS = 8, MOST_AT_ONCE = 1024 };

/* A check is a list of exchanges, one after the other. */
struct step {
  int udp;
  struct sockaddr_in to;
  uint8_t request[MOST_BYTES];
  size_t size;
};

static struct step steps[MOST_STEPS];
static int step_count;
static int epoll_fd, udp_fd = -1;

struct check {
  int step;
  int fd;
  int sent;
};

static struct check checks[MOST_AT_ONCE];
static long left, running;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void begin(struct check *check) {
  int index = (int)(check - checks);
  struct step *step = &steps[check->step];
  if (step->udp) {
    step->request[0] = (uint8_t)(index >> 8);
    step->request[1] = (uint8_t)index;
    if (sendto(udp_fd, step->request, step->size, 0, (const struct sockaddr *)&step->to, sizeof step->to) < 0) die("sendto");
    return;
  }
  check->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  check->sent = 0;
  if (check->fd < 0) die("socket");
  if (connect(check->fd, (const struct sockaddr *)&step->to, sizeof step->to) < 0 && errno != EINPROGRESS) die("connect");
  struct epoll_event event = {.events = EPOLLOUT, .data.u32 = (uint32_t)index};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, check->fd, &event) < 0) die("epoll_ctl");
}

static void next(struct check *check) {
  check->step++;
  if (check->step == step_count) {
    running--;
    if (left == 0) return;
    left--;
    running++;
    check->step = 0;
  }
  begin(check);
}

static void on_tcp(struct check *check) {
  uint8_t answer[512];
  if (!check->sent) {
    const struct step *step = &steps[check->step];
    if (send(check->fd, step->request, step->size, 0) < 0) die("send");
    check->sent = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)(check - checks)};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, check->fd, &event);
    return;
  }
  if (recv(check->fd, answer, sizeof answer, 0) <= 0) die("recv");
  close(check->fd);
  next(check);
}

static void on_udp(void) {
  uint8_t answer[2048];
  for (;;) {
    ssize_t size = recv(udp_fd, answer, sizeof answer, MSG_DONTWAIT);
    if (size < 2) return;
    unsigned index = (unsigned)(answer[0] << 8 | answer[1]);
    if (index < MOST_AT_ONCE) next(&checks[index]);
  }
}

static int add(char *text) {
  char *port = strchr(text, ':');
  char *hex = port == NULL ? NULL : strchr(port + 1, ':');
  if (hex == NULL || step_count == MOST_STEPS) return 0;
  struct step *step = &steps[step_count++];
  step->udp = strncmp(text, "udp:", 4) == 0;
  step->to.sin_family = AF_INET;
  step->to.sin_port = htons((uint16_t)atoi(port + 1));
  step->to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (hex++; hex[0] != 0 && hex[1] != 0 && step->size < MOST_BYTES; hex += 2) {
    unsigned byte;
    if (sscanf(hex, "%2x", &byte) != 1) return 0;
    step->request[step->size++] = (uint8_t)byte;
  }
  return step->size >= 2;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  long count = atol(argv[1]);
  int at_once = atoi(argv[2]);
  if (at_once < 1 || at_once > MOST_AT_ONCE || count < at_once) return 2;
  for (int i = 3; i < argc; i++)
    if (!add(argv[i])) return 2;

  epoll_fd = epoll_create1(0);
  udp_fd = socket(AF_INET, SOCK_DGRAM, 0);
  int room = 1 << 20;
  setsockopt(udp_fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = MOST_AT_ONCE};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, udp_fd, &event) < 0) die("epoll_ctl");

  left = count - at_once;
  running = at_once;
  for (int i = 0; i < at_once; i++) begin(&checks[i]);
  while (running > 0) {
    struct epoll_event events[64];
    int ready = epoll_wait(epoll_fd, events, 64, 5000);
    if (ready <= 0) die("epoll_wait");
    for (int i = 0; i < ready; i++) {
      if (events[i].data.u32 == MOST_AT_ONCE) on_udp();
      else on_tcp(&checks[events[i].data.u32]);
    }
  }
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  double micros = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
  printf("%.3f\n", micros / count);
  return 0;
}
