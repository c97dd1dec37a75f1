// The OIDC issuer of the sign-in stories: a real one (oidc-provider), with its own pages to sign in and to agree. Any password is right.
// usage: node issuer.mjs PORT REDIRECT_URI
import Provider from 'oidc-provider';

const [port, redirect] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const groups = { alice: ['infra', 'everybody'], bob: ['guests'] };

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'pilotlight',
      client_secret: 'the secret of the stories: +/%&=',
      redirect_uris: [redirect],
    },
    {
      client_id: 'pilotlight-cli',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
      redirect_uris: [],
      response_types: [],
    },
  ],
  claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups'] },
  // Groups in the ID token, as Dex has them.
  conformIdTokenClaims: process.env.CLAIMS === 'userinfo',
  features: { deviceFlow: { enabled: true }, devInteractions: { enabled: true } },
  pkce: { required: (_, client) => client.clientId === 'pilotlight' },
  cookies: { keys: ['stories'] },
  ttl: { Interaction: 600, Session: 600, Grant: 600, IdToken: 300, AccessToken: 300, DeviceCode: 300 },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id, groups: groups[id] ?? [] }),
  }),
});

provider.listen(Number(port), '127.0.0.1', () => console.log(`ready: ${issuer}`));
