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

#define TEXT(literal) ((text){literal, sizeof(literal) - 1})

static void *allocated(size_t size) {
  // Asked for nothing, it still gives something that can be freed.
  void *block = malloc(size == 0 ? 1 : size);
  if (block == NULL) abort();
  return block;
}

void *cabi_realloc(void *before, size_t size_before, size_t align, size_t size) {
  (void)size_before;
  // Whatever malloc gives is aligned for every type of the contract.
  (void)align;
  void *after = realloc(before, size == 0 ? 1 : size);
  if (after == NULL) abort();
  return after;
}

typedef struct {
  text media_type;
  bytes body;
  // The body as a string that ends, and as a number.
  const char *string;
  int64_t number;
} input;

// The answer of the one call that runs at a time, and what of it is to be freed.
static handle_result result;
static void *answer_kept[2];

static void answer(text media_type, const void *body, size_t length) {
  char *type = answer_kept[0] = allocated(media_type.length);
  uint8_t *copy = answer_kept[1] = allocated(length);
  memcpy(type, media_type.at, media_type.length);
  memcpy(copy, body, length);
  result = (handle_result){.value = {{type, media_type.length}, {copy, length}}};
}

static void answer_text(const char *string) {
  answer(TEXT("text/plain"), string, strlen(string));
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
    case INVALID_KEY:
      answer_kept[0] = (void *)error->reason.at;
      return fail_with(TEXT("INVALID_KEY"), error->reason);
    case WRONG_KIND: return fail_with(TEXT("WRONG_KIND"), TEXT("a value of another kind"));
    default: return fail_with(TEXT("STATE"), TEXT("the state refused"));
  }
}

static void echo(const input *in) {
  answer(in->media_type, in->body.at, in->body.length);
}

static void count(const input *in) {
  counter_result added;
  state_counter_add((const char *)in->body.at, in->body.length, 1, DURABILITY_DURABLE, &added);
  if (added.is_error) return fail_with_state_error(&added.error);
  answer_number(added.value);
}

// Reads a register, writes it back with what came in at its end, and answers what it is then.
static void append(const input *in) {
  const text key = TEXT("appended");
  get_result before;
  state_get(key.at, key.length, &before);
  if (before.is_error) return fail_with_state_error(&before.error);
  size_t size = before.is_some ? before.value.length : 0;
  size_t length = size + in->body.length;
  uint8_t *after = allocated(length);
  if (before.is_some) {
    memcpy(after, before.value.at, size);
    free((void *)before.value.at);
  }
  memcpy(after + size, in->body.at, in->body.length);
  put_result put;
  state_put(key.at, key.length, after, length, DURABILITY_DURABLE, &put);
  if (put.is_error) fail_with_state_error(&put.error);
  else answer(TEXT("text/plain"), after, length);
  free(after);
}

// Allocates, fills, checks and frees blocks of many sizes in an order of its own.
static void allocate(const input *in) {
  enum { SLOTS = 256 };
  uint8_t *blocks[SLOTS] = {0};
  size_t sizes[SLOTS] = {0};
  uint32_t random = 1;
  int64_t sum = 0;
  for (int64_t round = 0; round < in->number; round += 1) {
    random = random * 1664525u + 1013904223u;
    size_t slot = random >> 24;
    for (size_t at = 0; at < sizes[slot]; at += 97) {
      if (blocks[slot][at] != (uint8_t)(slot + at)) abort();
    }
    free(blocks[slot]);
    sizes[slot] = (random >> 8) % 4096 + 1;
    blocks[slot] = allocated(sizes[slot]);
    for (size_t at = 0; at < sizes[slot]; at += 1) blocks[slot][at] = (uint8_t)(slot + at);
    sum += (int64_t)sizes[slot];
  }
  for (size_t slot = 0; slot < SLOTS; slot += 1) free(blocks[slot]);
  answer_number(sum);
}

// A frame of 1 KiB for each level, on the stack in linear memory.
static int64_t depth_below(int64_t depth) {
  volatile uint8_t frame[1024];
  frame[depth & 1023] = 1;
  if (depth == 0) return 0;
  return depth_below(depth - 1) + frame[depth & 1023];
}

static void recurse(const input *in) {
  answer_number(depth_below(in->number));
}

static void write_log(const input *in) {
  printf("stdout: %s\n", in->string);
  fprintf(stderr, "stderr: %s\n", in->string);
  log_write(LOG_WARN, in->string, strlen(in->string));
  fflush(stdout);
  answer_json("null");
}

static void who(const input *in) {
  (void)in;
  invocation now;
  context_current(&now);
  char json[512];
  snprintf(json, sizeof(json), "{\"tenant\":\"%.*s\",\"app\":\"%.*s\",\"function\":\"%.*s\"}",
           (int)now.tenant.length, now.tenant.at, (int)now.app.length, now.app.at,
           (int)now.function.length, now.function.at);
  answer_json(json);
}

// The wall clock in milliseconds, and whether the monotonic clock went backwards.
static void read_clock(const input *in) {
  (void)in;
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

static void sleep_ms(const input *in) {
  answer_number(usleep((useconds_t)in->number * 1000));
}

static void random_bits(const input *in) {
  (void)in;
  uint64_t random;
  if (getentropy(&random, sizeof(random)) != 0) abort();
  char json[32];
  snprintf(json, sizeof(json), "\"%016" PRIx64 "\"", random);
  answer_json(json);
}

static void environment(const input *in) {
  const char *value = getenv(in->string);
  if (value == NULL) answer_json("null");
  else answer_text(value);
}

static void open_file(const input *in) {
  if (fopen(in->string, "r") != NULL) return answer_text("opened");
  // wasi-libc's own answer where there is no directory to look in.
  answer_text(errno == ENOENT || errno == ENOTCAPABLE ? "not there" : strerror(errno));
}

static void read_input(const input *in) {
  (void)in;
  answer_number(getchar());
}

static void exit_with(const input *in) {
  exit((int)in->number);
}

static void abort_now(const input *in) {
  (void)in;
  abort();
}

static void divide(const input *in) {
  answer_number(1000 / in->number);
}

static void spin(const input *in) {
  (void)in;
  volatile uint32_t turns = 0;
  for (;;) turns += 1;
}

static void compute(const input *in) {
  uint64_t hash = 14695981039346656037u;
  for (int64_t round = 0; round < in->number; round += 1) {
    hash = (hash ^ (uint64_t)round) * 1099511628211u;
  }
  answer_number((int64_t)(hash >> 12));
}

static void refuse(const input *in) {
  (void)in;
  fail_with(TEXT("REFUSED"), TEXT("as asked"));
}

static const struct {
  const char *name;
  void (*run)(const input *);
} functions[] = {
  {"echo", echo},
  {"count", count},
  {"append", append},
  {"allocate", allocate},
  {"recurse", recurse},
  {"log", write_log},
  {"context", who},
  {"clock", read_clock},
  {"sleep", sleep_ms},
  {"random", random_bits},
  {"environment", environment},
  {"open", open_file},
  {"read-input", read_input},
  {"exit", exit_with},
  {"abort", abort_now},
  {"divide", divide},
  {"spin", spin},
  {"compute", compute},
  {"refuse", refuse},
};
enum { FUNCTIONS = sizeof(functions) / sizeof(functions[0]) };

const text *describe(void) {
  static char json[2048];
  static text manifest = {json, 0};
  size_t length = (size_t)snprintf(json, sizeof(json), "{\"sdk\":\"c 1.0\",\"functions\":[");
  for (size_t at = 0; at < FUNCTIONS; at += 1) {
    length += (size_t)snprintf(json + length, sizeof(json) - length, "%s{\"name\":\"%s\"}",
                               at == 0 ? "" : ",", functions[at].name);
  }
  length += (size_t)snprintf(json + length, sizeof(json) - length, "]}");
  manifest.length = length;
  return &manifest;
}

static void run(text function, const input *in) {
  for (size_t at = 0; at < FUNCTIONS; at += 1) {
    const char *name = functions[at].name;
    if (strlen(name) == function.length && memcmp(name, function.at, function.length) == 0) {
      return functions[at].run(in);
    }
  }
  result = (handle_result){.is_error = 1};
  result.failure.tag = UNKNOWN_FUNCTION;
  result.failure.reason = TEXT("no function of this name");
}

handle_result *handle(char *function, size_t function_length, char *media_type,
                      size_t media_type_length, uint8_t *body, size_t body_length) {
  char *string = strndup((const char *)body, body_length);
  if (string == NULL) abort();
  const input in = {
    .media_type = {media_type, media_type_length},
    .body = {body, body_length},
    .string = string,
    .number = strtoll(string, NULL, 10),
  };
  run((text){function, function_length}, &in);
  free(string);
  free(function);
  free(media_type);
  free(body);
  return &result;
}

void after_handle(handle_result *returned) {
  (void)returned;
  for (size_t at = 0; at < 2; at += 1) {
    free(answer_kept[at]);
    answer_kept[at] = NULL;
  }
}
