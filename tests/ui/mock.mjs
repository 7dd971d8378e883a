import http from "node:http"; import fs from "node:fs"; import path from "node:path";
// Serves the dashboard with N made-up connectors, some failed, one named by markup: node tests/ui/mock.mjs N PORT
const root=path.join(import.meta.dirname,"../.."), web=path.join(root,"host/ui/web"), N=Number(process.argv[2]), port=Number(process.argv[3]);
const CSP=/"(default-src[^]*?)";/.exec(fs.readFileSync(path.join(root,"host/ui/src/lib.rs"),"utf8"))[1].replace(/\\\n\s*/g,"");
const X="<script>document.title='owned'</script><img src=x onerror=alert(1)>";
const rows=Array.from({length:N},(_,i)=>({name:i===1?X:`orders-${i}`,type:i%2?"sink":"source",class:"file-source",origin:i%3?"pipelines/a.yaml:4":"",left:false,target:"RUNNING",state:"RUNNING",trace:null,tasks:[{id:0,state:i%97===0?"FAILED":"RUNNING",connect_state:"RUNNING",trace:i%97===0?"LS0412: duplicate key "+X:undefined,starts:1,restarts:0,records:5}],starts:1,records:100*i,bytes:1e4,filtered:0,restarts:i%5,lost:0,zombies:0,topics:["flights"]}));
const types={".html":"text/html",".js":"text/javascript",".css":"text/css",".svg":"image/svg+xml"};
http.createServer((q,r)=>{const u=new URL(q.url,"http://x");
 if(u.pathname.startsWith("/ui/")){const f=path.join(web,u.pathname.slice(4)||"index.html"); if(!fs.existsSync(f)){r.writeHead(404);return r.end();} r.writeHead(200,{"content-type":types[path.extname(f)]??"text/plain","content-security-policy":CSP});return r.end(fs.readFileSync(f));}
 const j=(d,s=200)=>{r.writeHead(s,{"content-type":"application/json"});r.end(JSON.stringify(d));};
 if(u.pathname==="/api/v1/connectors")return j(rows); if(u.pathname==="/api/v1/topics")return j([{name:"flights",partitions:4,records:1458,bytes:70000,settings:{}}]);
 j({error_code:404,code:"LS0601",message:"there is nothing at this path"},404);
}).listen(port,"127.0.0.1");
