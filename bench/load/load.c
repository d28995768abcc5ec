// Copyright 2026 the Sluice authors. MIT license.

// load SHAPE PLACE CONNECTIONS SIZE: the loads of _shapes.ts that are roundTrip, bulk, relay and connectClose, by epoll, in one thread. PLACE is a port of
// 127.0.0.1 or a Unix path. Messages are the same as there, and every byte that comes back is checked.
//
// It prints `begun` when it has. Each line of standard input from then on is an order: at `look` it prints how many operations are complete; at `stop` it ends
// every connection properly, checking what still comes, prints `stopped` with their number, and exits. A wrong reply, and a connection that breaks, are told in
// a line that begins with `error`, and the exit code is 1. It also exits when standard input ends.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
  PATTERN = 512 * 1024,
  CHUNK = 256 * 1024,
  PIECE = 64 * 1024,  // what is sent at once at the most
  EVENTS = 256,
  AT_ONCE = 100,     // how many a server may have to accept at once: some have only so many places for those that wait
  PATIENCE = 10000,  // how long nothing may happen while connections end, in milliseconds
};

enum shape { ROUND_TRIP, BULK, RELAY, CONNECT_CLOSE, SHAPES };

static const char *const names[SHAPES] = {"roundTrip", "bulk", "relay", "connectClose"};

struct connection {
  int fd;
  unsigned events;    // what epoll waits for
  uint64_t sequence;  // of its message
  uint64_t offset;    // where in the pattern begins what it sends
  uint64_t due;       // how much that is; the pattern repeats itself
  uint64_t sent;
  uint64_t got;
  int finished;       // it has half-closed
};

static unsigned char pattern[PATTERN];
static unsigned char chunk[CHUNK];

static enum shape shape;
static struct sockaddr_storage place;
static socklen_t placeSize;
static unsigned count;
static uint64_t size;

static int epoll;
static struct connection *all;
static unsigned dialed;  // of round trips: how many connections there have been
static unsigned served;  // and how many have had a reply, before they begin together
static unsigned open;
static int stopping;
static uint64_t done;    // complete operations: bytes of floods
static uint64_t sentByAll;
static uint64_t gotByAll;

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...) {
  va_list values;
  va_start(values, format);
  printf("error ");
  vprintf(format, values);
  printf("\n");
  va_end(values);
  fflush(stdout);
  _exit(1);
}

__attribute__((noreturn)) static void failTo(const char *what) {
  fail("Cannot %s: %s", what, strerror(errno));
}

static int isFlood(void) {
  return shape == BULK || shape == RELAY;
}

static void waitFor(struct connection *c, unsigned events) {
  if (c->events == events) return;
  struct epoll_event event = {.events = events, .data.ptr = c};
  if (epoll_ctl(epoll, c->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->fd, &event) < 0) failTo("watch a connection");
  c->events = events;
}

// Sends of what is due what the system takes at once. The rest goes when it has room again.
static void put(struct connection *c) {
  size_t from = (c->offset + c->sent) % PATTERN;
  uint64_t most = c->due - c->sent;
  if (most > PATTERN - from) most = PATTERN - from;
  if (most > PIECE) most = PIECE;
  ssize_t sent = send(c->fd, pattern + from, most, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) failTo("send");
  if (sent > 0) {
    c->sent += (uint64_t)sent;
    sentByAll += (uint64_t)sent;
  }
  waitFor(c, c->sent < c->due ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

// Begins with a message: another one each time, and another one on each connection. A flood is the whole pattern, again and again.
static void begin(struct connection *c, uint64_t sequence) {
  c->sequence = sequence;
  c->offset = isFlood() ? 0 : sequence * 7919 % (PATTERN / size) * size;
  c->due = isFlood() ? UINT64_MAX : size;
  c->sent = 0;
  c->got = 0;
  put(c);
}

// On one machine the system alone connects, so that this waits for nobody; but where a server is slow to accept, it waits for a place.
static void dial(struct connection *c, uint64_t sequence) {
  c->fd = socket(place.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (c->fd < 0) failTo("make a socket");
  int on = 1;
  if (place.ss_family == AF_INET) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(c->fd, (struct sockaddr *)&place, placeSize) < 0) failTo("connect");
  c->events = 0;
  c->finished = 0;
  open++;
  begin(c, sequence);
}

static void say(const char *what) {
  printf("%s\n", what);
  fflush(stdout);
}

static void finish(struct connection *c) {
  if (shutdown(c->fd, SHUT_WR) < 0) failTo("end a connection");
  c->finished = 1;
  c->due = c->sent;
  waitFor(c, EPOLLIN);
}

// The reply is complete.
static void replied(struct connection *c) {
  if (shape == CONNECT_CLOSE) {
    finish(c);
    return;
  }
  done++;
  if (stopping) {
    finish(c);
  } else if (served == count) {
    begin(c, c->sequence + 1);
  } else {
    // Now it is certain that the server has accepted it.
    if (dialed < count) {
      dial(&all[dialed], dialed);
      dialed++;
    }
    if (++served < count) return;
    say("begun");
    for (unsigned i = 0; i < count; i++) begin(&all[i], all[i].sequence + 1);
  }
}

// Fails unless `got` bytes more are what was sent, and no more than that.
static void check(const struct connection *c, size_t got) {
  uint64_t gotNow = (shape == RELAY ? gotByAll : c->got) + got;
  uint64_t sent = shape == RELAY ? sentByAll : c->sent;
  if (gotNow > sent) fail("Reply has %" PRIu64 " bytes that were not sent", gotNow - sent);
  for (size_t from = 0, part; from < got; from += part) {
    size_t offset = (c->offset + c->got + from) % PATTERN;
    part = got - from < PATTERN - offset ? got - from : PATTERN - offset;
    if (memcmp(chunk + from, pattern + offset, part) != 0) fail("Reply differs from what was sent");
  }
}

static void checkEnd(uint64_t got, uint64_t sent) {
  if (got != sent) fail("Server ended after %" PRIu64 " of %" PRIu64 " bytes", got, sent);
}

// The server has ended.
static void ended(struct connection *c) {
  if (!c->finished) fail("Server ended too early, after %" PRIu64 " of %" PRIu64 " bytes", c->got, c->sent);
  close(c->fd);
  open--;
  if (shape == BULK) checkEnd(c->got, c->sent);
  if (shape == RELAY && open == 0) checkEnd(gotByAll, sentByAll);
  if (shape != CONNECT_CLOSE) return;
  done++;
  if (!stopping) dial(c, c->sequence + count);
}

static void receive(struct connection *c) {
  ssize_t got = recv(c->fd, chunk, sizeof chunk, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < 0) failTo("receive");
  if (got == 0) {
    ended(c);
    return;
  }
  check(c, (size_t)got);
  c->got += (uint64_t)got;
  gotByAll += (uint64_t)got;
  if (isFlood()) done += (uint64_t)got;
  else if (c->got == c->due) replied(c);
}

static void obey(void) {
  char orders[256];
  ssize_t length = read(STDIN_FILENO, orders, sizeof orders - 1);
  if (length <= 0) exit(0);
  orders[length] = 0;
  for (char *order = strtok(orders, "\n"); order != NULL; order = strtok(NULL, "\n")) {
    if (strcmp(order, "look") == 0) {
      printf("%" PRIu64 "\n", done);
      fflush(stdout);
    } else if (strcmp(order, "stop") == 0) {
      stopping = 1;
      for (unsigned i = 0; isFlood() && i < count; i++) finish(&all[i]);
    } else {
      fail("Order must be look or stop: current value is %s", order);
    }
  }
}

// xorshift32: the same bytes as in _load.ts, without a short period.
static void makePattern(void) {
  uint32_t state = 0x9e3779b9;
  for (size_t i = 0; i < PATTERN; i++) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    pattern[i] = (unsigned char)state;
  }
}

static int setPlace(const char *text) {
  if (text[0] == '/') {
    struct sockaddr_un *path = (struct sockaddr_un *)&place;
    path->sun_family = AF_UNIX;
    placeSize = sizeof *path;
    return (size_t)snprintf(path->sun_path, sizeof path->sun_path, "%s", text) < sizeof path->sun_path;
  }
  struct sockaddr_in *address = (struct sockaddr_in *)&place;
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address->sin_port = htons((unsigned short)atoi(text));
  placeSize = sizeof *address;
  return atoi(text) > 0;
}

static int setShape(const char *name) {
  for (shape = 0; shape < SHAPES; shape++) {
    if (strcmp(names[shape], name) == 0) return 1;
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 5) {
    count = (unsigned)atoi(argv[3]);
    size = (uint64_t)atoi(argv[4]);
  }
  if (argc != 5 || !setShape(argv[1]) || !setPlace(argv[2]) || count < 1 || size < 1 || size > PATTERN) {
    fprintf(stderr, "usage: %s roundTrip|bulk|relay|connectClose PORT|/UNIX/PATH CONNECTIONS SIZE\n", argv[0]);
    return 2;
  }
  makePattern();
  all = calloc(count, sizeof *all);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (all == NULL || epoll < 0) failTo("begin");
  struct epoll_event orders = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &orders) < 0) failTo("watch standard input");
  unsigned first = shape == ROUND_TRIP && count > AT_ONCE ? AT_ONCE : count;
  while (dialed < first) {
    dial(&all[dialed], dialed);
    dialed++;
  }
  if (shape != ROUND_TRIP) say("begun");
  while (!stopping || open > 0) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll, events, EVENTS, stopping ? PATIENCE : -1);
    if (ready < 0 && errno != EINTR) failTo("wait");
    if (ready == 0) fail("Server did not end %u connections after %" PRIu64 " operations", open, done);
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      if (c == NULL) {
        obey();
        continue;
      }
      if (events[i].events & EPOLLOUT && c->sent < c->due) put(c);
      if (events[i].events & ~EPOLLOUT) receive(c);
    }
  }
  printf("stopped %" PRIu64 "\n", done);
  return 0;
}
