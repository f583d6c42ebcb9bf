// One function for each thing that a C program may ask of its host.

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "faas.h"

void *cabi_realloc(void *before, size_t size_before, size_t align, size_t size) {
  (void)size_before;
  // Whatever malloc gives is aligned for every type of the contract, and can be freed.
  (void)align;
  void *after = realloc(before, size == 0 ? 1 : size);
  if (after == NULL) abort();
  return after;
}

#define TEXT(literal) ((text){literal, sizeof(literal) - 1})

const text *describe(void) {
  static const text manifest = {
#define MANIFEST(...) #__VA_ARGS__, sizeof(#__VA_ARGS__) - 1
      MANIFEST({"sdk": "c 1.0", "functions": [
        {"name": "echo"}, {"name": "count"}, {"name": "append"},
        {"name": "allocate"}, {"name": "recurse"}, {"name": "log"}, {"name": "context"},
        {"name": "clock"}, {"name": "sleep"}, {"name": "random"}, {"name": "environment"},
        {"name": "open"}, {"name": "read-input"}, {"name": "exit"}, {"name": "abort"},
        {"name": "divide"}, {"name": "spin"}, {"name": "refuse"}, {"name": "compute"}
      ]})
  };
  return &manifest;
}

// The answer of the one call that runs at a time.
static handle_result result;

static void answer(text media_type, const void *body, size_t length) {
  uint8_t *copy = malloc(length + 1);
  if (copy == NULL) abort();
  memcpy(copy, body, length);
  result = (handle_result){.value = {media_type, {copy, length}}};
}

static void answer_json(const char *json) {
  answer(TEXT("application/json"), json, strlen(json));
}

static void answer_number(int64_t number) {
  char digits[32];
  snprintf(digits, sizeof(digits), "%" PRId64, number);
  answer_json(digits);
}

static void fail_with(text code, text message) {
  result = (handle_result){.is_error = 1};
  result.failure.tag = FUNCTION_ERROR;
  result.failure.function_error.code = code;
  result.failure.function_error.message = message;
}

static void fail_with_state_error(const state_error *error) {
  switch (error->tag) {
    case INVALID_KEY: return fail_with(TEXT("INVALID_KEY"), error->reason);
    case WRONG_KIND: return fail_with(TEXT("WRONG_KIND"), TEXT("a value of another kind"));
    default: return fail_with(TEXT("STATE"), TEXT("the state refused"));
  }
}

static void count(const char *key, size_t key_length) {
  counter_result added;
  state_counter_add(key, key_length, 1, DURABILITY_DURABLE, &added);
  if (added.is_error) return fail_with_state_error(&added.error);
  answer_number(added.value);
}

// Reads a register, writes it back with what came in at its end, and answers what it is then.
static void append(const uint8_t *body, size_t length) {
  get_result before;
  state_get("appended", 8, &before);
  if (before.is_error) return fail_with_state_error(&before.error);
  size_t size = before.is_some ? before.value.length : 0;
  uint8_t *after = malloc(size + length + 1);
  if (after == NULL) abort();
  if (size > 0) memcpy(after, before.value.at, size);
  memcpy(after + size, body, length);
  put_result put;
  state_put("appended", 8, after, size + length, DURABILITY_DURABLE, &put);
  if (put.is_error) fail_with_state_error(&put.error);
  else answer(TEXT("text/plain"), after, size + length);
  if (before.is_some) free((void *)before.value.at);
  free(after);
}

// Allocates, fills, checks and frees blocks of many sizes in an order of its own.
static void allocate(int64_t rounds) {
  enum { SLOTS = 256 };
  uint8_t *blocks[SLOTS] = {0};
  size_t sizes[SLOTS] = {0};
  uint32_t random = 1;
  int64_t sum = 0;
  for (int64_t round = 0; round < rounds; round += 1) {
    random = random * 1664525u + 1013904223u;
    size_t slot = random >> 24;
    for (size_t at = 0; at < sizes[slot]; at += 97) {
      if (blocks[slot][at] != (uint8_t)(slot + at)) abort();
    }
    free(blocks[slot]);
    sizes[slot] = (random >> 8) % 4096 + 1;
    blocks[slot] = malloc(sizes[slot]);
    if (blocks[slot] == NULL) abort();
    for (size_t at = 0; at < sizes[slot]; at += 1) blocks[slot][at] = (uint8_t)(slot + at);
    sum += (int64_t)sizes[slot];
  }
  for (size_t slot = 0; slot < SLOTS; slot += 1) free(blocks[slot]);
  answer_number(sum);
}

// A frame of 1 KiB for each level, on the stack in linear memory.
static int64_t recurse(int64_t depth) {
  volatile uint8_t frame[1024];
  frame[depth & 1023] = 1;
  if (depth == 0) return 0;
  return recurse(depth - 1) + frame[depth & 1023];
}

static void write_log(const char *body, size_t length) {
  printf("stdout: %.*s\n", (int)length, body);
  fprintf(stderr, "stderr: %.*s\n", (int)length, body);
  log_write(LOG_WARN, body, length);
  fflush(stdout);
  answer_json("null");
}

static void context(void) {
  invocation current;
  context_current(&current);
  char json[512];
  snprintf(json, sizeof(json), "{\"tenant\":\"%.*s\",\"app\":\"%.*s\",\"function\":\"%.*s\",\"deadlineMs\":%" PRIu64 "}",
           (int)current.tenant.length, current.tenant.at, (int)current.app.length, current.app.at,
           (int)current.function.length, current.function.at, current.deadline_ms);
  answer_json(json);
}

// The wall clock in milliseconds, and whether the monotonic clock went backwards.
static void answer_clock(void) {
  struct timespec wall, before, after;
  if (clock_gettime(CLOCK_REALTIME, &wall) != 0) abort();
  if (clock_gettime(CLOCK_MONOTONIC, &before) != 0) abort();
  if (clock_gettime(CLOCK_MONOTONIC, &after) != 0) abort();
  bool is_backwards = after.tv_sec < before.tv_sec ||
                      (after.tv_sec == before.tv_sec && after.tv_nsec < before.tv_nsec);
  char json[96];
  snprintf(json, sizeof(json), "{\"wallMs\":%" PRId64 ",\"isBackwards\":%s}",
           (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000, is_backwards ? "true" : "false");
  answer_json(json);
}

static void answer_random(void) {
  uint64_t random;
  if (getentropy(&random, sizeof(random)) != 0) abort();
  char json[32];
  snprintf(json, sizeof(json), "\"%016" PRIx64 "\"", random);
  answer_json(json);
}

static void open_file(const char *path) {
  FILE *file = fopen(path, "r");
  if (file != NULL) return answer_json("\"opened\"");
  // wasi-libc's own answer where there is no directory to look in.
  bool is_absent = errno == ENOENT || errno == ENOTCAPABLE;
  answer_json(is_absent ? "\"not there\"" : "\"another error\"");
}

static void spin(void) {
  for (volatile uint32_t turns = 0;; turns += 1) continue;
}

static int64_t compute(int64_t rounds) {
  uint64_t hash = 14695981039346656037u;
  for (int64_t round = 0; round < rounds; round += 1) hash = (hash ^ (uint64_t)round) * 1099511628211u;
  return (int64_t)(hash >> 12);
}

handle_result *handle(char *function, size_t function_length, char *media_type,
                      size_t media_type_length, uint8_t *body, size_t body_length) {
  char *name = strndup(function, function_length);
  // The body as a string that ends, for the functions that take a number or a path.
  char *input = strndup((const char *)body, body_length);
  if (name == NULL || input == NULL) abort();
  int64_t number = strtoll(input, NULL, 10);
  if (!strcmp(name, "echo")) answer((text){strndup(media_type, media_type_length), media_type_length}, body, body_length);
  else if (!strcmp(name, "count")) count((const char *)body, body_length);
  else if (!strcmp(name, "append")) append(body, body_length);
  else if (!strcmp(name, "allocate")) allocate(number);
  else if (!strcmp(name, "recurse")) answer_number(recurse(number));
  else if (!strcmp(name, "log")) write_log((const char *)body, body_length);
  else if (!strcmp(name, "context")) context();
  else if (!strcmp(name, "clock")) answer_clock();
  else if (!strcmp(name, "sleep")) answer_number(usleep((useconds_t)number * 1000));
  else if (!strcmp(name, "random")) answer_random();
  else if (!strcmp(name, "environment")) {
    const char *value = getenv(input);
    if (value == NULL) answer_json("null");
    else answer(TEXT("text/plain"), value, strlen(value));
  }
  else if (!strcmp(name, "open")) open_file(input);
  else if (!strcmp(name, "read-input")) answer_number(getchar());
  else if (!strcmp(name, "exit")) exit((int)number);
  else if (!strcmp(name, "abort")) abort();
  else if (!strcmp(name, "divide")) answer_number(1000 / number);
  else if (!strcmp(name, "spin")) spin();
  else if (!strcmp(name, "compute")) answer_number(compute(number));
  else if (!strcmp(name, "refuse")) fail_with(TEXT("REFUSED"), TEXT("as asked"));
  else {
    result = (handle_result){.is_error = 1};
    result.failure.tag = UNKNOWN_FUNCTION;
    result.failure.reason = (text){function, function_length};
  }
  free(name);
  free(input);
  free(media_type);
  free(body);
  return &result;
}

void after_handle(handle_result *returned) {
  if (!returned->is_error) free((void *)returned->value.body.at);
}
