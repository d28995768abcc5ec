// Copyright 2026 the Sluice authors. MIT license.

// load SHAPE PLACE CONNECTIONS SIZE: the load of every network bench, by epoll, in one thread.
// PLACE is a port of 127.0.0.1 or a Unix path. Every byte that comes back is checked.
//
//   roundTrip      sends a message of SIZE bytes, waits for it to come back, and sends the next
//   bulk           sends as fast as it can, and reads what comes back; an operation is one byte
//   relay          the same for a server that joins connections in pairs
//   connectClose   connects, has a message echoed, half-closes, waits for the end, and again
//   datagrams      sends a datagram, waits for it to come back, and sends the next
//   hold           only connects
//   validate       sends much in pieces of many sizes, half-closes, and waits for all of it
//
// Prints `begun` once it has begun. After that each line of standard input is an order: at `look`
// it prints how many operations are complete; at `stop` it ends every connection properly, checks
// what still comes, prints `stopped` with the count, and exits. A wrong reply or a broken
// connection is printed as a line that begins with `error`, and the exit code is 1. It exits when
// its input ends.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
  PATTERN = 512 * 1024,
  CHUNK = 256 * 1024,
  PIECE = 64 * 1024,  // the most that is sent at once
  ODD_PIECE = 65521,  // of validate: the pieces double up to this prime
  EVENTS = 256,
  AT_ONCE = 100,     // connections to open at once, as the backlog of some servers is short
  PATIENCE = 10000,  // how long nothing may happen while connections end, in milliseconds
};

enum shape { ROUND_TRIP, BULK, RELAY, CONNECT_CLOSE, DATAGRAMS, HOLD, VALIDATE, SHAPES };

static const char *const names[SHAPES] = {
  "roundTrip", "bulk", "relay", "connectClose", "datagrams", "hold", "validate",
};

struct connection {
  int fd;
  unsigned events;    // what epoll waits for
  uint64_t sequence;  // of its message
  uint64_t offset;    // where in the pattern its message begins
  uint64_t due;       // how long its message is; the pattern repeats itself
  uint64_t sent;
  uint64_t got;
  int finished;       // it has half-closed
  size_t piece;       // the most that is sent next
};

static unsigned char pattern[PATTERN], chunk[CHUNK];

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
static uint64_t sentByAll, gotByAll;

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

__attribute__((noreturn)) static void failTo(const char *what) { fail("Cannot %s: %s", what, strerror(errno)); }

static int isFlood(void) { return shape == BULK || shape == RELAY; }

static void waitFor(struct connection *c, unsigned events) {
  if (c->events == events) return;
  struct epoll_event event = {.events = events, .data.ptr = c};
  if (epoll_ctl(epoll, c->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->fd, &event) < 0) failTo("watch a connection");
  c->events = events;
}

static void finish(struct connection *c) {
  if (shutdown(c->fd, SHUT_WR) < 0) failTo("end a connection");
  c->finished = 1;
  c->due = c->sent;
  waitFor(c, EPOLLIN);
}

// Closes what has ended.
static void leave(struct connection *c) {
  close(c->fd);
  open--;
}

// Sends as much of what is due as the system takes at once. The rest follows when there is room.
static void put(struct connection *c) {
  size_t from = (c->offset + c->sent) % PATTERN;
  uint64_t most = c->due - c->sent;
  if (most > PATTERN - from) most = PATTERN - from;
  if (most > c->piece) most = c->piece;
  ssize_t sent = send(c->fd, pattern + from, most, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) failTo("send");
  if (sent > 0) {
    c->sent += (uint64_t)sent;
    sentByAll += (uint64_t)sent;
  }
  if (shape == VALIDATE) c->piece = c->piece * 2 % ODD_PIECE;
  waitFor(c, c->sent < c->due ? EPOLLIN | EPOLLOUT : EPOLLIN);
  if (shape == VALIDATE && c->sent == c->due) finish(c);
}

// Begins with a message: a new one each time, and another one on each connection. A flood is the
// whole pattern, again and again.
static void begin(struct connection *c, uint64_t sequence) {
  c->sequence = sequence;
  c->offset = shape == VALIDATE ? sequence * 1000 : isFlood() ? 0 : sequence * 7919 % (PATTERN / size) * size;
  c->due = shape == VALIDATE ? 100000 + sequence * 3001 : isFlood() ? UINT64_MAX : size;
  c->piece = shape == VALIDATE ? sequence + 1 : PIECE;
  c->sent = 0;
  c->got = 0;
  if (shape == HOLD) waitFor(c, EPOLLIN);
  else put(c);
}

// Connecting does not wait for the server's program, unless its backlog is full.
static void dial(struct connection *c, uint64_t sequence) {
  c->fd = socket(place.ss_family, (shape == DATAGRAMS ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
  if (c->fd < 0) failTo("make a socket");
  int on = 1;
  if (place.ss_family == AF_INET && shape != DATAGRAMS) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
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

// The reply is complete.
static void replied(struct connection *c) {
  if (shape == VALIDATE) return;
  if (shape == CONNECT_CLOSE) {
    finish(c);
    return;
  }
  done++;
  if (stopping) {
    if (shape == DATAGRAMS) leave(c);
    else finish(c);
  } else if (shape != ROUND_TRIP || served == count) {
    begin(c, c->sequence + 1);
  } else {
    // Now it is certain that the server has accepted it.
    unsigned next = dialed++;
    if (next < count) dial(&all[next], next);
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
  leave(c);
  if (shape == BULK || shape == VALIDATE) checkEnd(c->got, c->sent);
  if (shape == RELAY && open == 0) checkEnd(gotByAll, sentByAll);
  if (shape == CONNECT_CLOSE || shape == VALIDATE) done++;
  if (shape == CONNECT_CLOSE && !stopping) dial(c, c->sequence + count);
}

static void receive(struct connection *c) {
  ssize_t size = recv(c->fd, chunk, sizeof chunk - 1, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size < 0) failTo("receive");
  size_t got = (size_t)size;
  if (got == 0) {
    ended(c);
  } else {
    check(c, got);
    if (shape == DATAGRAMS && got != c->due) fail("Reply has %zu of %" PRIu64 " bytes", got, c->due);
    c->got += got;
    gotByAll += got;
    if (isFlood()) done += got;
    else if (c->got == c->due) replied(c);
  }
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

// xorshift32: bytes without a short period.
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
  for (shape = 0; shape < SHAPES && strcmp(names[shape], name) != 0;) shape++;
  return shape < SHAPES;
}

int main(int argc, char **argv) {
  if (argc == 5) {
    count = (unsigned)atoi(argv[3]);
    size = (uint64_t)atoi(argv[4]);
  }
  if (argc != 5 || !setShape(argv[1]) || !setPlace(argv[2]) || count < 1 || size < 1 || size > PATTERN) {
    fprintf(stderr, "usage: %s SHAPE PORT|/UNIX/PATH CONNECTIONS SIZE\n", argv[0]);
    return 2;
  }
  makePattern();
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  all = calloc(count, sizeof *all);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (all == NULL || epoll < 0) failTo("begin");
  struct epoll_event orders = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &orders) < 0) failTo("watch standard input");
  unsigned first = shape == ROUND_TRIP && count > AT_ONCE ? AT_ONCE : count;
  for (; dialed < first; dialed++) dial(&all[dialed], dialed);
  if (shape != ROUND_TRIP) say("begun");
  // A load that sleeps makes the server pay for waking it: the more, the slower the server is.
  bool spins = shape != HOLD && shape != VALIDATE;
  while (!stopping || open > 0) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll, events, EVENTS, stopping ? PATIENCE : spins ? 0 : -1);
    if (ready < 0 && errno != EINTR) failTo("wait");
    if (ready == 0 && stopping) fail("Server did not end %u connections after %" PRIu64 " operations", open, done);
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
