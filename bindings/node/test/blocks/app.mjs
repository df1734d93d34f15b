// The smallest app around a block: a store, Runtimes that start when they are needed,
// stub activities that count their calls, a client, a console that is remembered.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { format } from 'node:util';
import { join } from 'node:path';
import * as duroxide from 'duroxide';
import { openStore, storeIn } from '../store.mjs';
import { logged } from './log.mjs';
import { orchestrationOf, require, runBody, yields } from './snippet.mjs';

const { Client, Runtime } = duroxide;
const NODE_NAMES = ['default', 'module.exports', '__esModule'];
const EXPORTS = Object.fromEntries(Object.entries(duroxide).filter(([name]) => !NODE_NAMES.includes(name)));

/** A Runtime that tells the app what is registered, so that others can be made like it. */
class BlockRuntime extends Runtime {
  #registered;
  #wrap;

  constructor(provider, options, registered, wrap) {
    super(provider, options);
    this.#registered = registered;
    this.#wrap = wrap;
  }

  registerActivity(name, code) {
    super.registerActivity(name, code);
    this.#registered.push(['registerActivity', name, code]);
  }

  registerOrchestration(name, code) {
    const wrapped = this.#wrap(code);
    super.registerOrchestration(name, wrapped);
    this.#registered.push(['registerOrchestration', name, wrapped]);
  }

  registerOrchestrationVersioned(name, version, code) {
    const wrapped = this.#wrap(code);
    super.registerOrchestrationVersioned(name, version, wrapped);
    this.#registered.push(['registerOrchestrationVersioned', name, version, wrapped]);
  }
}

let apps = 0;

/** The app of one test. Its setup is described in README.md; `nodes` are several Runtimes' options. */
export class App {
  /** The stubs' calls, `[name, input]` in order. */
  calls = [];
  /** What the block logged on its console. */
  lines = [];
  /** The delays that orchestrations asked for, where the setup has `timers`. */
  delays = [];
  /** Of its own in this process, whose log all tests share. */
  instanceId = `instance-${(apps += 1)}-of-${process.pid}`;
  #setup;
  #registered = [];
  #running = [];
  #arranged;

  static async open(t, setup = {}) {
    const app = new App();
    app.#setup = setup;
    app.folder = mkdtempSync(join(tmpdir(), 'duroxide-block-'));
    app.provider = await openStore(storeIn(app.folder));
    app.client = new Client(app.provider);
    const wrap = setup.timers ? (code) => app.#hurried(code) : (code) => code;
    app.runtime = new BlockRuntime(app.provider, app.#options()[0], app.#registered, wrap);
    t.after(async () => {
      await app.stop();
      await app.provider.close();
      rmSync(app.folder, { recursive: true, force: true });
    });
    return app;
  }

  /** The names that a block finds in scope. */
  scope() {
    const { provider, runtime, instanceId, folder } = this;
    const line = (...parts) => void this.lines.push(format(...parts));
    const names = {
      ...EXPORTS,
      provider,
      runtime,
      instanceId,
      require,
      console: { log: line, info: line, warn: line, error: line },
      client: this.#arrangingClient(),
    };
    return { ...names, ...this.#setup.scope?.({ ...names, folder }) };
  }

  /** Runs a block as printed; answers what it declares. A block that yields becomes the orchestration 'Snippet'. */
  async run(text) {
    if (yields(text)) {
      this.runtime.registerOrchestration('Snippet', orchestrationOf(text, this.scope()));
      return {};
    }
    return runBody(text, this.scope());
  }

  /** Before the first call of the block's client: stubs, Runtimes, the instance that exists. Once. */
  arrange() {
    this.#arranged ??= this.#arrange();
    return this.#arranged;
  }

  /** Starts an instance and waits for its end. */
  async call(name, input, id = this.instanceId) {
    await this.arrange();
    await this.client.startOrchestration(id, name, input);
    return this.client.waitForOrchestration(id);
  }

  /** Stops every Runtime and starts new ones with the same registrations: all is replayed from the store. */
  async restart() {
    await this.stop();
    await this.#start(this.#options().map((options) => this.#another(options)));
  }

  async stop() {
    const running = this.#running.splice(0);
    await Promise.all(running.map((runtime) => runtime.shutdown()));
  }

  /** What an instance logged: messages, in order, but for those of the package about a failure. */
  traces(id = this.instanceId) {
    return logged(id).map(({ message }) => message).filter((message) => !/^(attempt \d+ )?failed: /.test(message));
  }

  /** Inputs of the calls of one stub. */
  inputs(activity) {
    return this.calls.filter(([name]) => name === activity).map(([, input]) => input);
  }

  /** Data of the events of one kind in an instance's history. */
  async events(kind, id = this.instanceId, execution = 1) {
    const history = await this.client.readExecutionHistory(id, execution);
    return history.filter((event) => event.kind === kind).map(({ data, ...event }) => ({ ...event, data: JSON.parse(data ?? 'null') }));
  }

  #options() {
    return this.#setup.nodes ?? [this.#setup.options];
  }

  async #arrange() {
    const { activities = {}, orchestrations = {}, prepare } = this.#setup;
    const taken = new Set(this.#registered.map(([call, name]) => `${call} ${name}`));
    for (const [name, code] of Object.entries(activities)) {
      if (taken.has(`registerActivity ${name}`)) continue;
      this.runtime.registerActivity(name, (ctx, input) => {
        this.calls.push([name, input]);
        return code.call(activities, ctx, input);
      });
    }
    for (const [name, code] of Object.entries(orchestrations)) {
      if (!taken.has(`registerOrchestration ${name}`)) this.runtime.registerOrchestration(name, code);
    }
    const others = this.#options().slice(1).map((options) => this.#another(options));
    await this.#start([this.runtime, ...others]);
    await prepare?.(this);
  }

  #another(options) {
    const runtime = new Runtime(this.provider, options);
    for (const [call, ...given] of this.#registered) runtime[call](...given);
    return runtime;
  }

  async #start(runtimes) {
    for (const runtime of runtimes) {
      this.#running.push(runtime);
      await runtime.start();
    }
  }

  /** The same orchestration with timers that fire at once; what they were asked for is noted. */
  #hurried(code) {
    const { delays } = this;
    return function* (ctx, input) {
      const scheduleTimer = ctx.scheduleTimer.bind(ctx);
      ctx.scheduleTimer = (ms) => {
        if (!ctx.isReplaying) delays.push(ms);
        return scheduleTimer(0);
      };
      return yield* code(ctx, input);
    };
  }

  #arrangingClient() {
    return new Proxy(this.client, {
      get: (client, name) => {
        const member = client[name];
        if (typeof member !== 'function') return member;
        return async (...given) => {
          await this.arrange();
          return member.apply(client, given);
        };
      },
    });
  }
}
