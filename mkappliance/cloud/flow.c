/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/flow.h"

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/log.h"
#include "lib/mem.h"

#define WAIT_NS	 500000000ull
#define DRAIN_NS 2000000000ull

enum slot_state { SLOT_FREE, SLOT_SENDING, SLOT_WAITING };

struct flow;

struct slot {
	struct flow *flow;
	unsigned number;
	enum slot_state state;
	const struct aws_call *call;
	struct retry retry;
	uint64_t started_ns;
	uint64_t due_ns; /* SLOT_WAITING: when it is sent again */
};

struct flow {
	const struct flow_job *job;
	struct pace pace;
	struct slot *slots;
	unsigned slot_count;
	unsigned sending, waiting;
	uint64_t left;
	int result;
	struct error err; /* of the first failure */
};

unsigned flow_slots(unsigned connections, unsigned ahead)
{
	struct pace p;

	pace_init(&p, connections, 0);
	return p.max + ahead;
}

static void fail(struct flow *f, int code, const struct error *err)
{
	if (f->result == 0) {
		f->result = code;
		f->err = *err;
	}
}

static void again(struct flow *f, struct slot *slot, enum retry_reason why, uint64_t delay_ns, uint64_t now)
{
	struct error err = ERROR_INIT;
	int r = f->job->again ? f->job->again(f->job->user, slot->number, why, &err) : 0;

	if (r < 0)
		fail(f, r, &err);
	if (why == RETRY_THROTTLED || why == RETRY_TIMEOUT)
		pace_slow_down(&f->pace, now);
	slot->state = SLOT_WAITING;
	slot->due_ns = now + delay_ns;
	f->waiting++;
}

static void answered(struct flow *f, struct slot *slot, struct http_reply *reply, uint64_t now)
{
	struct error err = ERROR_INIT;
	uint64_t delay = 0;
	int r = f->job->done(f->job->user, slot->number, reply, &err);

	if (r == -EAGAIN && aws_again(f->job->aws, &slot->retry, RETRY_CHECKSUM, &delay)) {
		again(f, slot, RETRY_CHECKSUM, delay, now);
		return;
	}
	if (r < 0)
		fail(f, r, &err);
	pace_success(&f->pace, f->job->bytes, now - slot->started_ns, now);
	meter_add(f->job->meter, 1);
	f->left--;
	slot->state = SLOT_FREE;
}

static void on_done(struct http *h, struct http_reply *reply, void *user)
{
	struct slot *slot = user;
	struct flow *f = slot->flow;
	struct aws_failure failure;
	struct error err = ERROR_INIT;
	uint64_t delay = 0, now = clock_ns();

	(void)h;
	f->sending--;
	switch (aws_judge(f->job->aws, slot->call, &slot->retry, reply, &failure, &delay)) {
	case AWS_DONE:
		answered(f, slot, reply, now);
		return;
	case AWS_AGAIN:
		again(f, slot, failure.why, delay, now);
		return;
	case AWS_FATAL:
		fail(f, aws_fail(slot->call, &failure, &err), &err);
		slot->state = SLOT_FREE;
		return;
	}
}

static int submit(struct flow *f, struct slot *slot, uint64_t now, struct error *err)
{
	_cleanup_aws_request_ struct aws_request request = {0};
	struct aws_call call = *slot->call;
	int r;

	call.timeout_ms = pace_timeout_ms(&f->pace, f->sending, f->job->bytes);
	r = aws_sign(f->job->aws, &call, &slot->retry, &request, err);
	if (r == 0)
		r = http_submit(aws_http(f->job->aws), &request.http, on_done, slot, err);
	if (r < 0)
		return r;
	slot->state = SLOT_SENDING;
	slot->started_ns = now;
	f->sending++;
	return 0;
}

static struct slot *find(struct flow *f, enum slot_state state, uint64_t now)
{
	for (unsigned i = 0; i < f->slot_count; i++)
		if (f->slots[i].state == state && f->slots[i].due_ns <= now)
			return &f->slots[i];
	return NULL;
}

/* Requests whose time has come again go before new ones. 1: @ret is to be sent; 0: there is nothing to send now. */
static int next_slot(struct flow *f, uint64_t now, struct slot **ret, struct error *err)
{
	struct slot *slot = f->waiting > 0 ? find(f, SLOT_WAITING, now) : NULL;
	int r;

	if (slot) {
		f->waiting--;
		*ret = slot;
		return 1;
	}
	slot = find(f, SLOT_FREE, UINT64_MAX);
	if (!slot)
		return 0;
	r = f->job->next(f->job->user, slot->number, &slot->call, err);
	if (r <= 0)
		return r;
	slot->retry = (struct retry){0};
	*ret = slot;
	return 1;
}

static int start_more(struct flow *f, struct error *err)
{
	uint64_t now = clock_ns();
	struct slot *slot;
	int r;

	while (f->sending < f->pace.limit && pace_wait_ns(&f->pace, now) == 0) {
		r = next_slot(f, now, &slot, err);
		if (r <= 0)
			return r;
		pace_begin(&f->pace, now);
		r = submit(f, slot, now, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* How long nothing of ours has to be done. */
static unsigned wait_ms(const struct flow *f)
{
	uint64_t now = clock_ns(), until = now + WAIT_NS, rate = pace_wait_ns(&f->pace, now);

	for (unsigned i = 0; f->waiting > 0 && i < f->slot_count; i++)
		if (f->slots[i].state == SLOT_WAITING && f->slots[i].due_ns < until)
			until = f->slots[i].due_ns;
	if (f->sending < f->pace.limit && rate > 0 && now + rate < until)
		until = now + rate;
	return until <= now ? 0 : (unsigned)((until - now + 999999) / 1000000);
}

/* What is on its way may arrive, so that it need not be sent again. */
static void drain(struct flow *f)
{
	uint64_t end = clock_ns() + DRAIN_NS;

	while (f->sending > 0 && clock_ns() < end)
		(void)http_step(aws_http(f->job->aws), 50);
	http_abandon(aws_http(f->job->aws));
}

static int run_all(struct flow *f, struct error *err)
{
	int r;

	while (f->left > 0) {
		r = interrupt_check(err);
		if (r == 0)
			r = start_more(f, err);
		if (r < 0)
			return r;
		meter_show(f->job->meter, f->sending, aws_retries(f->job->aws));
		(void)http_step(aws_http(f->job->aws), wait_ms(f));
		if (f->result < 0) {
			*err = f->err;
			return f->result;
		}
	}
	return 0;
}

int flow_run(const struct flow_job *job, struct error *err)
{
	struct flow f = {.job = job, .left = job->total};
	int r;

	pace_init(&f.pace, job->connections, clock_ns());
	f.slot_count = f.pace.max + job->ahead;
	f.slots = xcalloc(f.slot_count, sizeof(*f.slots));
	for (unsigned i = 0; i < f.slot_count; i++)
		f.slots[i] = (struct slot){.flow = &f, .number = i};
	r = run_all(&f, err);
	if (r < 0)
		drain(&f);
	free(f.slots);
	return r;
}
