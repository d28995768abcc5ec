// Copyright 2026 the Sluice authors. MIT license.

// echo PORT: an echo in C, by epoll, in one thread. What a client is too slow to take stays in a buffer of its own, and nothing more is read from it meanwhile.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024, EVENTS = 256 };

struct connection {
  int fd;
  size_t from;  // what of `rest` has not gone out
  size_t to;
  char *rest;   // only while there is something in it; nothing is read then, so the end of input is seen after it
};

static char chunk[CHUNK];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void watch(int epoll, int op, int fd, unsigned events, void *data) {
  struct epoll_event event = {.events = events, .data.ptr = data};
  if (epoll_ctl(epoll, op, fd, &event) < 0) fail("epoll_ctl");
}

static void drop(struct connection *c) {
  close(c->fd);
  free(c->rest);
  free(c);
}

// Sends what there is. How much went out, or -1 when the connection broke.
static ssize_t put(int fd, const char *bytes, size_t size) {
  size_t done = 0;
  while (done < size) {
    ssize_t sent = send(fd, bytes + done, size - done, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno == EAGAIN ? (ssize_t)done : -1;
    done += (size_t)sent;
  }
  return (ssize_t)done;
}

// The rest of an earlier chunk goes first. Whether the connection goes on.
static int flush(int epoll, struct connection *c) {
  ssize_t sent = put(c->fd, c->rest + c->from, c->to - c->from);
  if (sent < 0) return 0;
  c->from += (size_t)sent;
  if (c->from < c->to) return 1;
  free(c->rest);
  c->rest = NULL;
  watch(epoll, EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
  return 1;
}

static int receive(int epoll, struct connection *c) {
  ssize_t size = recv(c->fd, chunk, sizeof chunk, 0);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  if (size == 0) return 0;
  ssize_t sent = put(c->fd, chunk, (size_t)size);
  if (sent < 0) return 0;
  if (sent == size) return 1;
  c->from = 0;
  c->to = (size_t)(size - sent);
  c->rest = malloc(c->to);
  if (c->rest == NULL) fail("malloc");
  memcpy(c->rest, chunk + sent, c->to);
  watch(epoll, EPOLL_CTL_MOD, c->fd, EPOLLOUT, c);
  return 1;
}

static void welcome(int epoll, int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR)) return;
    if (fd < 0) fail("accept4");
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *c = calloc(1, sizeof *c);
    if (c == NULL) fail("calloc");
    c->fd = fd;
    watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, c);
  }
}

static int listenOn(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
  if (listen(fd, 4096) < 0) fail("listen");
  socklen_t size = sizeof address;
  getsockname(fd, (struct sockaddr *)&address, &size);
  if (port == 0) printf("tcp:127.0.0.1:%d\n", ntohs(address.sin_port));
  return fd;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s PORT\n", argv[0]);
    return 2;
  }
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  sigprocmask(SIG_BLOCK, &ends, NULL);
  int stop = signalfd(-1, &ends, SFD_CLOEXEC);
  int listener = listenOn(atoi(argv[1]));
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, &listener);
  watch(epoll, EPOLL_CTL_ADD, stop, EPOLLIN, &stop);
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(epoll, events, EVENTS, -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < count; i++) {
      void *who = events[i].data.ptr;
      if (who == &stop) return 0;
      if (who == &listener) {
        welcome(epoll, listener);
        continue;
      }
      struct connection *c = who;
      if (!(c->rest == NULL ? receive(epoll, c) : flush(epoll, c))) drop(c);
    }
  }
}
