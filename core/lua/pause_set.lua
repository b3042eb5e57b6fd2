-- Mirrors the pause of a conversation into the hash KEYS[1]. ARGV: version, when it ends by itself in Unix ms
-- ('0': it is over, '-1': not by itself), ms to keep it ('': for ever). -> 1, or 0 for news that are old
if tonumber(redis.call('HGET', KEYS[1], 'version') or '0') > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'until', ARGV[2])
if ARGV[3] == '' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
