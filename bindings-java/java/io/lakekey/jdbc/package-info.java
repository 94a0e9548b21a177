/**
 * Lakebase for JDBC programs: a {@link io.lakekey.jdbc.LakekeyDataSource}, the driver URL {@code jdbc:lakekey:TARGET/DATABASE}, and
 * the parts that plug into pgjdbc and HikariCP where those are configured by themselves.
 *
 * <p>Connections are pgjdbc's own. Properties whose names begin with {@code lakekey.} are lakekey's, all others are pgjdbc's:
 *
 * <ul>
 *   <li>{@code lakekey.target}: the database server, such as {@code projects/shop/branches/production}
 *   <li>{@code lakekey.timeout}: seconds that looking up and minting may take, 10 if left out
 *   <li>{@code lakekey.ttl}: seconds that a credential should live, the workspace's usual if left out
 *   <li>{@code lakekey.host}, {@code lakekey.profile}, {@code lakekey.client_id}, {@code lakekey.client_secret}, ...: attributes of
 *       the configuration by their Databricks names; what is left out comes from the environment and {@code ~/.databrickscfg}
 * </ul>
 */
package io.lakekey.jdbc;
