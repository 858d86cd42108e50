/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How other threads reach the vCPU thread: requests, carried out between two instructions. */
#include "vm.h"

#include "hostsig.h"

/* The vCPU thread leaves the engine or wakes up. Under the lock. */
static void kick(struct vm *vm)
{
	vm->stop = 1;
	if (vm->running)
		pthread_kill(vm->thread, HOSTSIG_KICK);
}

static bool on_vcpu_thread(const struct vm *vm)
{
	return vm->running && pthread_equal(vm->thread, pthread_self());
}

static bool enqueue(struct vm *vm, struct vm_request *r)
{
	if (vm->closed)
		return false;
	if (!r->queued) {
		r->queued = true;
		r->next = NULL;
		*vm->requests_tail = r;
		vm->requests_tail = &r->next;
		kick(vm);
	}
	return true;
}

/* A request that somebody waits for. */
struct call {
	struct vm_request request;
	void (*fn)(void *arg);
	void *arg;
	struct vm *vm;
	bool carried_out;
};

static void carry_out(void *arg)
{
	struct call *c = arg;

	c->fn(c->arg);
	pthread_mutex_lock(&c->vm->lock);
	c->carried_out = true;
	pthread_cond_broadcast(&c->vm->done);
	pthread_mutex_unlock(&c->vm->lock);
}

bool vm_call(struct vm *vm, void (*fn)(void *arg), void *arg)
{
	struct call c = {.fn = fn, .arg = arg, .vm = vm};

	c.request.fn = carry_out;
	c.request.arg = &c;
	pthread_mutex_lock(&vm->lock);
	if (on_vcpu_thread(vm)) {
		pthread_mutex_unlock(&vm->lock);
		fn(arg);
		return true;
	}
	if (enqueue(vm, &c.request))
		while (!c.carried_out && !(vm->closed && c.request.queued))
			pthread_cond_wait(&vm->done, &vm->lock);
	pthread_mutex_unlock(&vm->lock);
	return c.carried_out;
}

void vm_post(struct vm *vm, struct vm_request *r)
{
	pthread_mutex_lock(&vm->lock);
	enqueue(vm, r);
	pthread_mutex_unlock(&vm->lock);
}

void vm_run_requests(struct vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	while (vm->requests) {
		struct vm_request *r = vm->requests;
		vm->requests = r->next;
		if (!vm->requests)
			vm->requests_tail = &vm->requests;
		r->queued = false; /* may be posted again while it runs; the caller may be gone after fn */
		pthread_mutex_unlock(&vm->lock);
		r->fn(r->arg);
		pthread_mutex_lock(&vm->lock);
	}
	pthread_mutex_unlock(&vm->lock);
}

void vm_close_requests(struct vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	vm->closed = true;
	vm->requests = NULL;
	vm->requests_tail = &vm->requests;
	pthread_cond_broadcast(&vm->done);
	pthread_mutex_unlock(&vm->lock);
}

void vm_exit_for(struct vm *vm, struct vm_end end, int status)
{
	pthread_mutex_lock(&vm->lock);
	if (!vm->exiting) {
		vm->exiting = true;
		vm->exit_status = status;
		vm->end = end;
	}
	kick(vm);
	pthread_mutex_unlock(&vm->lock);
}

void vm_exit(struct vm *vm, int status)
{
	vm_exit_for(vm, (struct vm_end){.reason = VM_END_ASKED}, status);
}

enum vm_status vm_status(struct vm *vm)
{
	enum vm_status s;

	pthread_mutex_lock(&vm->lock);
	s = vm->exiting || vm->closed ? VM_SHUTDOWN
	    : vm->paused	      ? VM_PAUSED
	    : vm->suspended	      ? VM_SUSPENDED
				      : VM_RUNNING;
	pthread_mutex_unlock(&vm->lock);
	return s;
}
