-- Starts the lease of the chat ARGV[3] (token ARGV[4]) anew. -> 1 or 0 as ack
if redis.call('GET', LOCK .. ARGV[3]) ~= ARGV[4] then return 0 end
renew(ARGV[3])
return 1
