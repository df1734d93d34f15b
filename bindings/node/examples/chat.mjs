// A conversation: messages come through a queue, replies are shown as the custom status, and
// each turn is an execution of its own. node chat.mjs
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Runtime, SqliteProvider, defineActivity, defineOrchestration } from 'duroxide';

const RETRY = { maxAttempts: 2, backoff: 'none', timeoutMs: 5_000 };

// Stands for a language model. Its first call for 'weather' fails, all for 'politics' do.
let weatherCalls = 0;
const generate = defineActivity('Generate', async (ctx, { text, memory }) => {
  if (text.includes('weather') && ++weatherCalls === 1) throw new Error('the model is overloaded');
  if (text.includes('politics')) throw new Error('the model refuses');
  if (text.includes('name')) return memory.name ? `You are ${memory.name}.` : 'I do not know yet.';
  if (text.includes('weather')) return 'It is sunny.';
  return 'I see.';
});

const chat = defineOrchestration('Chat', function* (ctx, memory) {
  const { seq, text } = yield* ctx.dequeueEvent('inbox');
  const reply = (words, more) => ctx.setCustomStatus(JSON.stringify({ seq, reply: words, ...more }));
  if (text === 'bye') {
    reply('Goodbye.');
    return { turns: ctx.executionId, ...memory };
  }
  try {
    reply(yield* ctx.scheduleActivityWithRetry(generate, { text, memory }, RETRY));
  } catch (error) {
    reply('Let us talk about something else.', { because: error.message });
  }
  const [, name] = /I am (\w+)/.exec(text) ?? [];
  // The history of this turn ends here; queue and status live on.
  return yield* ctx.continueAsNew(name ? { ...memory, name } : memory);
});

const folder = mkdtempSync(join(tmpdir(), 'duroxide-'));
const provider = await SqliteProvider.open(join(folder, 'chat.db'));
const runtime = new Runtime(provider, { logLevel: 'error' });
runtime.registerActivity(generate);
runtime.registerOrchestration(chat);
await runtime.start();
const client = new Client(provider);
await client.startOrchestration('chat-1', chat, {});

let seq = 0;
let version = 0;
const replies = [];
async function say(text) {
  seq += 1;
  console.log(`> ${text}`);
  await client.enqueueEvent('chat-1', 'inbox', { seq, text });
  for (;;) {
    const shown = await client.waitForStatusChange('chat-1', version);
    if (shown === null) throw new Error('no reply');
    version = shown.customStatusVersion;
    const { reply, because, ...about } = JSON.parse(shown.customStatus);
    if (about.seq !== seq) continue;
    console.log(`  ${reply}${because ? ` (${because})` : ''}`);
    replies.push(reply);
    return;
  }
}

await say('Hello, I am Ada');
await say('How is the weather?');
await say('What about politics?');
await say('What is my name?');
await say('bye');
const outcome = await client.waitForOrchestrationTyped('chat-1');
console.log(`over after ${outcome.turns} turns, each an execution: ${(await client.listExecutions('chat-1')).join(' ')}`);

await runtime.shutdown();
await provider.close();
rmSync(folder, { recursive: true });

assert.deepEqual(outcome, { turns: 5, name: 'Ada' });
assert.deepEqual(replies, ['I see.', 'It is sunny.', 'Let us talk about something else.', 'You are Ada.', 'Goodbye.']);
