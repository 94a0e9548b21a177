// Gets a first credential in a new process and ends; the bench counts what that asked of the control plane.

const programs = {
  // Where to connect as well: host, user and password.
  async ours() {
    const { Client } = await import("lakekey");
    const params = await new Client().connectParams(process.env.LAKEBASE_ENDPOINT);
    return params.password;
  },
  // The password only; host and user stand in the environment.
  async theirs() {
    const { createLakebasePool } = await import("@databricks/lakebase");
    process.env.PGSSLMODE = "require";
    return createLakebasePool().options.password();
  },
};
const [which] = process.argv.slice(2);
if (typeof (await programs[which]()) !== "string") throw new Error(`${which} gave no password`);
