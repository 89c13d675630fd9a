/* producer: a Kafka producer as many are, for squall to watch.
 *
 * It sends log lines, zstd-compressed, to the mock cluster that librdkafka brings along
 * (test.mock.num.brokers): the broker threads compress each batch with a context of its own, and
 * that is what `make demo` shows. Nothing in here knows of squall.
 *
 *   producer [MESSAGES]        prints how many were delivered */
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

enum {
    THREADS = 2,
    MESSAGES = 120000, /* of all threads together, if nobody says how many */
    MESSAGE_SIZE = 1000,
    LOG_SIZE = 16 << 20,
    LINE_MAX_SIZE = 512
};

struct sender {
    pthread_t thread;
    unsigned number;
    rd_kafka_t *kafka;
    const char *log;
};

/* Delivery reports come to whoever polls; main and the senders do. */
static unsigned long delivered, failed, wanted = MESSAGES;

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque) {
    (void)kafka;
    (void)opaque;
    __atomic_fetch_add(message->err ? &failed : &delivered, 1, __ATOMIC_RELAXED);
}

/* The same numbers in every run (xorshift64). */
static uint64_t next_number(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Log lines compress about as well as real ones: fixed words, few hosts, random ids. */
static char *make_log(void) {
    static const char *const levels[] = {"INFO", "WARN", "ERROR", "DEBUG"};
    static const char *const agents[] = {"Mozilla/5.0 (X11; Linux x86_64)", "curl/7.88.1",
                                         "kube-probe/1.27", "Go-http-client/1.1"};
    uint64_t state = 20240229;
    char *log = malloc(LOG_SIZE + LINE_MAX_SIZE);
    size_t used = 0;

    while (log && used < LOG_SIZE) {
        uint64_t a = next_number(&state), b = next_number(&state);
        used += (size_t)snprintf(
            log + used, LINE_MAX_SIZE,
            "{\"ts\":1700%06u.%03u,\"level\":\"%s\",\"host\":\"node-%03u\",\"path\":"
            "\"/api/v1/orders/%u/items\",\"agent\":\"%s\",\"ms\":%u,\"id\":\"%016llx%016llx\"}\n",
            (unsigned)(a % 1000000), (unsigned)(b % 1000), levels[a >> 62],
            (unsigned)(b >> 32) % 400, (unsigned)(a >> 20) % 1000000, agents[b >> 62],
            (unsigned)(a >> 40) % 9000, (unsigned long long)a, (unsigned long long)b);
    }
    return log;
}

static void *send_messages(void *argument) {
    struct sender *s = argument;
    char name[16];

    snprintf(name, sizeof name, "sender-%u", s->number);
    prctl(PR_SET_NAME, name);
    for (uint64_t i = 0; i < wanted / THREADS; i++) {
        const char *message =
            s->log + (i * 102947 + s->number * 104729) % (LOG_SIZE - MESSAGE_SIZE);
        while (rd_kafka_producev(s->kafka, RD_KAFKA_V_TOPIC("logs"),
                                 RD_KAFKA_V_VALUE((void *)message, MESSAGE_SIZE),
                                 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                 RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            rd_kafka_poll(s->kafka, 50);
        if (i % 256 == 0)
            rd_kafka_poll(s->kafka, 0);
    }
    return NULL;
}

static rd_kafka_t *make_producer(void) {
    static const char *const settings[][2] = {
        {"test.mock.num.brokers", "3"},
        {"compression.codec", "zstd"},
        {"linger.ms", "1000"},
        {"batch.num.messages", "10000"},
        {"batch.size", "1000000"},
        {"queue.buffering.max.messages", "1000000"},
        {"queue.buffering.max.kbytes", "1048576"},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof why) !=
            RD_KAFKA_CONF_OK) {
            fprintf(stderr, "producer: %s\n", why);
            return NULL;
        }
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!kafka)
        fprintf(stderr, "producer: %s\n", why);
    return kafka;
}

int main(int count, char **arguments) {
    struct sender senders[THREADS];
    char *log = make_log();
    rd_kafka_t *kafka = make_producer();
    if (count > 1)
        wanted = strtoul(arguments[1], NULL, 10) / THREADS * THREADS;
    if (!log || !kafka)
        return 1;

    for (unsigned i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){.number = i, .kafka = kafka, .log = log};
        if (pthread_create(&senders[i].thread, NULL, send_messages, &senders[i]))
            return 1;
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(senders[i].thread, NULL);
    rd_kafka_flush(kafka, 60000);
    rd_kafka_destroy(kafka);
    free(log);
    printf("producer: %lu messages delivered, %lu failed\n", delivered, failed);
    return failed || delivered != wanted;
}
