/**
 * The management API of projects, branches, endpoints, roles, databases and the rest, by {@link io.lakekey.LakekeyClient#postgres}.
 *
 * <p>Messages cannot be changed; builders make them:
 *
 * <pre>{@code
 * Postgres postgres = client.postgres();
 * Branch wanted = Branch.builder()
 *         .spec(BranchSpec.builder().ttl(Duration.ofHours(2)).build())
 *         .build();
 * Branch branch = postgres.createBranch("projects/shop", wanted, "ci-42").waitFor();
 * for (Branch one : postgres.listBranches("projects/shop")) {
 *     System.out.println(one.name().orElseThrow());
 * }
 * }</pre>
 */
package io.lakekey.postgres;
