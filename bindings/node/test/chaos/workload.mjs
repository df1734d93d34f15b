// What the clients ask for: so many instances of the scenarios, what each is sent, and how each
// must end. Not here: asking (`client.mjs`).

const completed = (output) => ({ status: 'Completed', output });
const failed = (error) => ({ status: 'Failed', error });
const terminated = (error) => ({ status: 'Terminated', error });
/** What steps 1 to n give. */
const steps = (n) => n * (n + 1);

/** The scenarios: each gives an order's input, what is sent, its end, and that of what it starts by name. */
const SCENARIOS = {
  Steps: () => ({ input: { steps: 5 }, ends: completed(steps(5)) }),
  FanOut: () => ({ input: { width: 6 }, ends: completed([0, 2, 4, 6, 8, 10, null, steps(2)]) }),
  Races: () => ({ ends: completed([0, 1, 1, 1]) }),
  Family: (id) => ({
    ends: completed([steps(3), steps(2), 'this child fails']),
    others: { [`${id}/two`]: completed(steps(2)), [`${id}/failing`]: failed('this child fails') },
  }),
  Rounds: () => ({
    input: { rounds: 4 },
    ends: completed([1, 2, 3, 4].map((n) => [n === 1 ? null : `${n - 1}`, 2 * n, `round ${n}`])),
  }),
  Approval: () => ({
    sends: [['event', 'early', 1], ['status', 'asking'], ['event', 'answer', 2]],
    ends: completed([1, 2, 2]),
  }),
  Inbox: () => ({
    input: { total: 8 },
    sends: [1, 2, 3, 4, 5, 6, 7, 8].flatMap((n) => [['queue', 'inbox', n], ['pause', 30]]),
    ends: completed([1, 2, 3, 4, 5, 6, 7, 8]),
  }),
  Cancelled: (id) => ({
    sends: [['status', 'ready'], ['cancel', 'enough']],
    ends: failed('canceled: enough'),
    others: { [`${id}/waiter`]: failed('canceled: parent canceled') },
  }),
  Terminated: (id) => ({
    sends: [['status', 'ready'], ['terminate', 'no more']],
    ends: terminated('no more'),
    others: { [`${id}/waiter`]: terminated('parent terminated') },
  }),
  Saga: (id, n) => {
    const pays = n % 2 === 0;
    return { input: { card: pays ? 'full' : 'empty' }, ends: completed(pays ? 'paid' : ['the card was declined', [-4, -2]]) };
  },
  Session: () => ({ ends: completed(steps(4)) }),
  Retried: () => ({ ends: completed('done') }),
  Relay: () => ({ input: { signals: 3 }, ends: completed([1, 2, 3]) }),
  Detached: (id) => ({
    ends: completed('started'),
    others: { [`${id}/detached`]: completed(steps(2)), [`${id}/launched`]: completed(steps(2)) },
  }),
};

const NAMES = Object.keys(SCENARIOS);

/** The n-th order. */
export function order(n) {
  const name = NAMES[n % NAMES.length];
  const id = `${name}-${n}`;
  const { input = null, sends = [], ends, others = {} } = SCENARIOS[name](id, Math.floor(n / NAMES.length));
  return { id, name, input, sends, ends, others };
}
