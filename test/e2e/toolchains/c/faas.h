// The world `function-sync` of `wit/` as C sees it: what the canonical ABI makes of its types, by hand.
// Layouts are those of a 32-bit memory; the assertions say what they have to be.

#pragma once

#include <stddef.h>
#include <stdint.h>

#define IMPORT(interface, name) __attribute__((import_module(interface), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

typedef struct {
  const char *at;
  size_t length;
} text;

typedef struct {
  const uint8_t *at;
  size_t length;
} bytes;

typedef struct {
  text media_type;
  bytes body;
} payload;

// downpour:faas/state@0.1.0

enum durability { DURABILITY_MEMORY, DURABILITY_ASYNC, DURABILITY_DURABLE };

enum state_error_tag {
  INVALID_KEY,
  WRONG_KIND,
  VALUE_TOO_LARGE,
  COUNTER_OVERFLOW,
  TOO_MANY_KEYS,
  UNAVAILABLE,
  NOT_TEXT,
  QUOTA_EXCEEDED,
};

typedef struct {
  uint8_t tag;
  union {
    text reason;
    uint8_t kind;
    uint32_t most;
  };
} state_error;
_Static_assert(sizeof(state_error) == 12, "state-error");

typedef struct {
  uint8_t is_error;
  union {
    struct {
      uint8_t is_some;
      bytes value;
    };
    state_error error;
  };
} get_result;
_Static_assert(sizeof(get_result) == 16, "result<option<list<u8>>, state-error>");

typedef struct {
  uint8_t is_error;
  state_error error;
} put_result;
_Static_assert(sizeof(put_result) == 16, "result<_, state-error>");

typedef struct {
  uint8_t is_error;
  union {
    int64_t value;
    state_error error;
  };
} counter_result;
_Static_assert(sizeof(counter_result) == 24, "result<s64, state-error>");

IMPORT("downpour:faas/state@0.1.0", "get")
void state_get(const char *key, size_t key_length, get_result *);

IMPORT("downpour:faas/state@0.1.0", "put")
void state_put(const char *key, size_t key_length, const uint8_t *value, size_t value_length,
               int32_t durability, put_result *);

IMPORT("downpour:faas/state@0.1.0", "counter-add")
void state_counter_add(const char *key, size_t key_length, int64_t delta, int32_t durability,
                       counter_result *);

// downpour:faas/log@0.1.0

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

IMPORT("downpour:faas/log@0.1.0", "write")
void log_write(int32_t level, const char *message, size_t message_length);

// downpour:faas/context@0.1.0

typedef struct {
  text id;
  text tenant;
  text app;
  text revision;
  text function;
  uint64_t deadline_ms;
  struct {
    uint8_t is_some;
    text value;
  } idempotency_key;
  struct {
    const struct {
      text name;
      text value;
    } *at;
    size_t length;
  } metadata;
} invocation;
_Static_assert(sizeof(invocation) == 72, "invocation");

IMPORT("downpour:faas/context@0.1.0", "current")
void context_current(invocation *);

// The exports.

enum failure_tag {
  UNKNOWN_FUNCTION,
  INVALID_INPUT,
  FUNCTION_ERROR,
  UNCAUGHT_EXCEPTION,
  UNSERIALIZABLE_RESULT,
};

typedef struct {
  uint8_t is_error;
  union {
    payload value;
    struct {
      uint8_t tag;
      union {
        text reason;
        struct {
          text code;
          text message;
          struct {
            uint8_t is_some;
            payload value;
          } details;
        } function_error;
      };
    } failure;
  };
} handle_result;
_Static_assert(sizeof(handle_result) == 44, "result<payload, failure>");

EXPORT("describe")
const text *describe(void);

// The arguments are the guest's, allocated by `cabi_realloc`.
EXPORT("handle")
handle_result *handle(char *function, size_t function_length, char *media_type,
                      size_t media_type_length, uint8_t *body, size_t body_length);

EXPORT("cabi_post_handle")
void after_handle(handle_result *);

EXPORT("cabi_realloc")
void *cabi_realloc(void *before, size_t size_before, size_t align, size_t size);
