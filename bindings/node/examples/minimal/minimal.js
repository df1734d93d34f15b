// The guide's minimal example on a SQLite file: node minimal.js [FILE]
const { SqliteProvider, Client, Runtime } = require('duroxide');

async function main() {
  const provider = await SqliteProvider.open(process.argv[2] ?? 'sqlite:minimal.db');
  const client = new Client(provider);
  const runtime = new Runtime(provider);

  runtime.registerActivity('SayHello', async (ctx, name) => {
    return `Hello, ${name}!`;
  });

  runtime.registerOrchestration('HelloWorkflow', function* (ctx, input) {
    const greeting = yield ctx.scheduleActivity('SayHello', input.name);
    return greeting;
  });

  await runtime.start();

  await client.startOrchestration('hello-1', 'HelloWorkflow', { name: 'World' });
  const result = await client.waitForOrchestration('hello-1');
  console.log(result.output); // "Hello, World!"

  await runtime.shutdown();
}

main();
