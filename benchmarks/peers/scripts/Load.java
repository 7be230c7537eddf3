import static io.gatling.javaapi.core.CoreDsl.*;
import static io.gatling.javaapi.http.HttpDsl.*;

import io.gatling.javaapi.core.*;
import io.gatling.javaapi.http.*;
import java.time.Duration;

/**
 * Gatling, a virtual user for each connection: connect, then messages that each await their reply.
 *
 * <p>Environment: URL, CONNECTIONS, SECONDS, INTERVAL_MS (0: closed loop; below 0: idle).
 */
public class Load extends Simulation {
  private static final Duration LENGTH = Duration.ofSeconds(number("SECONDS"));
  private static final int INTERVAL_MS = number("INTERVAL_MS");
  private static final String MESSAGE = "x".repeat(32);

  private static int number(String name) {
    return Integer.parseInt(System.getenv(name));
  }

  private static ChainBuilder body() {
    ChainBuilder exchange =
        exec(ws("send").sendText(MESSAGE).await(10).on(ws.checkTextMessage("response").check(bodyString().is(MESSAGE))));
    if (INTERVAL_MS < 0) {
      return pause(LENGTH);
    }
    ChainBuilder paced = INTERVAL_MS == 0 ? exchange : pace(Duration.ofMillis(INTERVAL_MS)).exec(exchange);
    return during(LENGTH, "i", false).on(paced);
  }

  {
    HttpProtocolBuilder protocol = http.wsBaseUrl(System.getenv("URL")).wsUnmatchedInboundMessageBufferSize(0);
    ScenarioBuilder load = scenario("load").exec(ws("connect").connect("/")).exitHereIfFailed().exec(body()).exec(ws("close").close());
    setUp(load.injectOpen(atOnceUsers(number("CONNECTIONS")))).protocols(protocol);
  }
}
